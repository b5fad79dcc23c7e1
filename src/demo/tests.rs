//! The world keeps its promises: same bytes, true masks, true tags.

use std::collections::BTreeSet;

use super::backgrounds::BACKGROUNDS;
use super::clutter::CLUTTER;
use super::compose::PieceSubject;
use super::objects::{KNOWN, Look, UNKNOWN};
use super::paint::{Affine, Painting, rgb};
use super::*;

/// A size at which whole sets are drawn quickly.
const SMALL: usize = 96;

/// FNV-1a over the scene's colours, labels and tags.
fn fingerprint(scene: &Scene) -> u64 {
    let tags = scene.tags.iter().map(|&tag| tag as u8);
    let bytes = scene.image.iter().chain(&scene.labels).copied().chain(tags);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn differing(a: &Scene, b: &Scene) -> Vec<usize> {
    let pixels = a.image.chunks_exact(3).zip(b.image.chunks_exact(3));
    pixels.enumerate().filter(|(_, (a, b))| a != b).map(|(i, _)| i).collect()
}

#[test]
fn bytes_are_the_same_on_every_machine() {
    let found = Set::ALL.map(|set| {
        (0..12)
            .map(|index| fingerprint(&scene(set, 7, index)))
            .fold(0, |all: u64, one| all.rotate_left(5) ^ one)
    });
    let expected = [
        7_573_278_243_358_486_148,
        3_855_674_124_530_328_172,
        15_760_648_649_298_446_121,
        15_263_945_180_805_280_493,
        16_067_701_755_078_422_315,
    ];
    assert_eq!(
        found, expected,
        "the world changed: retrain the embedded model, then update this and `DRAWING`"
    );
}

#[test]
fn scenes_differ_by_seed_and_index() {
    let first = scene_at(Set::Id, 1, 1, SMALL);
    assert!(!differing(&first, &scene_at(Set::Id, 1, 2, SMALL)).is_empty());
    assert!(!differing(&first, &scene_at(Set::Id, 2, 1, SMALL)).is_empty());
}

#[test]
fn every_tagged_object_has_a_mask() {
    for index in 0..150 {
        let scene = scene_at(Set::Id, 3, index, SMALL);
        let masks: Vec<Vec<u8>> = scene.objects.iter().map(|o| scene.mask(o)).collect();
        for (object, mask) in scene.objects.iter().zip(&masks) {
            let pixels = mask.iter().filter(|&&value| value == 255).count();
            assert_eq!(pixels, object.pixels, "scene {index}, {}", object.name);
            let tagged = object.tag.is_some_and(|tag| scene.tags.contains(&tag));
            assert!(!tagged || pixels * 250 >= SMALL * SMALL, "scene {index}, {}", object.name);
        }
        for i in 0..SMALL * SMALL {
            assert!(masks.iter().filter(|mask| mask[i] == 255).count() <= 1, "masks overlap");
        }
        let known = scene.tags.iter().filter(|&&tag| tag_group(tag) == TagGroup::Object);
        for tag in known {
            assert!(scene.objects.iter().any(|object| object.tag == Some(*tag)));
        }
    }
}

#[test]
fn the_main_object_of_an_id_scene_is_tagged_and_visible() {
    for index in 0..400 {
        let scene = scene_at(Set::Id, 4, index, SMALL);
        let class = scene.class.expect("an ID scene has a class");
        assert!(scene.tags.contains(&tag_from_class(class)), "scene {index}: {}", scene.kind);
        let main = scene.objects.last().expect("an ID scene has an object");
        assert!(main.visible > 0.4, "scene {index}: {} of {}", main.visible, main.name);
    }
}

#[test]
fn every_kind_appears() {
    let kinds = |set, count| -> BTreeSet<&str> {
        (0..count).map(|index| scene_at(set, 5, index, 48).kind).collect()
    };
    assert_eq!(kinds(Set::Id, 400).len(), ID_CLASSES.len());
    assert_eq!(kinds(Set::Near, 300).len(), UNKNOWN.len());
    assert_eq!(kinds(Set::Context, 200).len(), BACKGROUNDS.len());
    assert_eq!(kinds(Set::Texture, 200).len(), TEXTURES.len());
    assert_eq!(kinds(Set::Style, 120).len(), STYLES.len());
    let seen: BTreeSet<usize> =
        (0..400).flat_map(|index| scene_at(Set::Id, 5, index, 48).tags).collect();
    let missing: Vec<&str> =
        (0..TAGS.len()).filter(|tag| !seen.contains(tag)).map(|tag| TAGS[tag]).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}

#[test]
fn sets_outside_the_distribution_hold_no_id_object() {
    for set in [Set::Near, Set::Context, Set::Texture] {
        for index in 0..120 {
            let scene = scene_at(set, 6, index, SMALL);
            assert_eq!(scene.class, None);
            assert!(scene.tags.iter().all(|&tag| tag_group(tag) != TagGroup::Object));
            assert!(scene.objects.iter().all(|object| object.tag.is_none()));
            assert_eq!(scene.objects.is_empty(), set != Set::Near);
        }
    }
}

#[test]
fn size_does_not_change_the_composition() {
    for index in 0..20 {
        let (full, half) = (scene(Set::Id, 8, index), scene_at(Set::Id, 8, index, 192));
        assert_eq!(full.kind, half.kind);
        for (a, b) in full.objects.iter().zip(&half.objects) {
            assert_eq!(a.name, b.name);
            let ratio = a.pixels as f32 / (4 * b.pixels.max(1)) as f32;
            assert!((0.9..1.1).contains(&ratio), "{}: {ratio}", a.name);
        }
    }
    for set in Set::ALL {
        for index in 0..60 {
            assert_eq!(kind(set, 8, index), scene_at(set, 8, index, SMALL).kind, "{set} {index}");
        }
    }
}

#[test]
fn a_world_is_drawn_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let world = World { folder: folder.path().join("deep/world"), scenes: 2 };
    let drawn = |world: &World| world.draw(&|| (), &|| false).expect("drawn").expect("all of it");
    let files = drawn(&world);
    assert_eq!(files.len(), world.total());
    for (set, folder) in world.sets().iter().enumerate() {
        assert!(files[2 * set..2 * set + 2].iter().all(|file| file.starts_with(folder)));
    }
    let first = image::open(&files[0]).expect("a picture").into_rgb8().into_raw();
    assert_eq!(first, scene(Set::Id, HELD_OUT_SEED, 0).image);
    // What is there is taken as it is; what is not, or is empty, is drawn.
    std::fs::write(&files[1], "mine").expect("written");
    std::fs::write(&files[2], "").expect("written");
    std::fs::remove_file(&files[3]).expect("removed");
    assert_eq!(drawn(&world), files);
    assert_eq!(std::fs::read(&files[1]).expect("read"), b"mine");
    assert!(files[2..4].iter().all(|file| image::open(file).is_ok()));
    // More scenes are those and others; a world that is stopped leaves whole files alone.
    let more = World { scenes: 3, ..world.clone() };
    assert_eq!(more.draw(&|| (), &|| true).expect("stopped"), None);
    assert_eq!(drawn(&more)[..2], files[..2]);
    let blocked = World { folder: files[1].join("world"), ..world };
    let error = blocked.draw(&|| (), &|| false).expect_err("a file is in the way").to_string();
    assert!(error.starts_with("cannot make the folder: "), "{error}");
}

#[test]
fn twins_differ_only_around_the_object() {
    for index in 0..24 {
        let (known, unknown) = twin(9, index);
        assert!(known.class.is_some() && unknown.class.is_none());
        let owned = |scene: &Scene| -> Vec<usize> {
            let label = scene.objects[0].label;
            (0..scene.labels.len()).filter(|&i| scene.labels[i] == label).collect()
        };
        let around: Vec<usize> = owned(&known).into_iter().chain(owned(&unknown)).collect();
        let size = SCENE_SIZE;
        let span = |at: fn(usize) -> usize| {
            let low = around.iter().map(|&i| at(i)).min().expect("an object is visible");
            let high = around.iter().map(|&i| at(i)).max().expect("an object is visible");
            low.saturating_sub(size / 8)..=high + size / 8
        };
        let (columns, rows) = (span(|i| i % SCENE_SIZE), span(|i| i / SCENE_SIZE));
        let changed = differing(&known, &unknown);
        assert!(!changed.is_empty());
        for i in changed {
            assert!(columns.contains(&(i % size)) && rows.contains(&(i / size)), "twins {index}");
        }
    }
}

#[test]
fn every_kind_fills_its_frame_and_stays_inside() {
    let subjects = (0..KNOWN.len())
        .map(PieceSubject::Known)
        .chain((0..UNKNOWN.len()).map(PieceSubject::Unknown))
        .chain((0..CLUTTER.len()).map(PieceSubject::Clutter));
    let frame = Affine { x: [0.45, 0.0], y: [0.0, 0.45], origin: [50.0, 50.0] };
    for subject in subjects {
        for variant in 0..4 {
            let mut canvas = Painting::new(200).expect("a small canvas");
            let look = Look { main: rgb(214, 69, 65), accent: rgb(66, 126, 196), variant };
            subject.paint(&mut canvas.painter(&frame, 1), &look);
            let name = subject.name();
            assert!(canvas.claimed(1) > 2500, "{name} claims {} pixels", canvas.claimed(1));
            let labels = canvas.labels();
            let edge = (0..200).any(|i| labels[i] == 1 || labels[199 * 200 + i] == 1);
            assert!(!edge, "{name} leaves its frame");
        }
    }
}

#[test]
fn names_of_sets_read_back() {
    for set in Set::ALL {
        assert_eq!(set.to_string().parse::<Set>().expect("its own name"), set);
    }
    let error = "far".parse::<Set>().expect_err("no such set").to_string();
    assert!(error.contains("'far'") && error.contains("near"));
    assert_eq!(tag_index(KNOWN[0].name), Some(0));
    for (class, kind) in KNOWN.iter().enumerate() {
        assert_eq!(ID_CLASSES[class], kind.name);
        assert_eq!(tag_index(kind.name), Some(tag_from_class(class)));
    }
    assert!(UNKNOWN.iter().all(|kind| tag_index(kind.name).is_none()));
    assert!(CLUTTER.iter().all(|clutter| clutter.tag().is_some()));
    for background in &BACKGROUNDS {
        assert!(background.tags.iter().all(|tag| tag_index(tag).is_some()));
    }
}
