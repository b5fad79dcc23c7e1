use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};

use super::*;
use crate::bundle::manifest::Arch;
use crate::pipeline::{Attention, Decomposition, Projected, TaggerOutput};
use crate::score::distance::Centers;
use crate::score::verdict::Verdict;

const WIDTH: usize = 8;

/// What the tagger made of an image.
type Seen = BTreeMap<ImageId, TaggerOutput>;

/// An image whose two kept tokens and feature lie about one of three corners.
fn image(number: usize, seen: &Mutex<Seen>) -> EmbeddedImage {
    let corner = number % 3;
    let token = |shift: usize| {
        (0..WIDTH).map(move |at| {
            let noise = ((number * 31 + at * 17 + shift * 7) % 23) as f32 / 230.0;
            noise + if at % 3 == corner { 1.0 } else { 0.0 }
        })
    };
    // The last token is not kept.
    let tokens = token(0).chain(token(1)).chain([9.0; WIDTH]).collect();
    let (logits, attention) = (Vec::new(), Attention::default());
    let tagged = TaggerOutput { arch: Arch::Ram, tokens, width: WIDTH, logits, attention };
    let feature = token(2).map(|value| value * 5.0).collect();
    let decomposition = Decomposition { mask: vec![true, true, false], ..Decomposition::default() };
    let analysis = Analysis {
        decomposition,
        projected: Some(Projected { feature, ..Projected::default() }),
        nearest: Vec::new(),
        patterns: Vec::new(),
        cosines: None,
        verdict: Verdict::without_projector(),
        stage_ms: [0.0; 3],
    };
    let id = ImageId::unique();
    seen.lock().unwrap().insert(id, tagged);
    EmbeddedImage::new(id, &Arc::new(analysis)).unwrap()
}

fn head() -> Arc<Head> {
    let corner = |class: usize| (0..WIDTH).map(move |at| if at % 3 == class { 2.0 } else { 0.0 });
    let centers = Centers::new((0..3).flat_map(corner).collect(), [3, 2, WIDTH / 2]).unwrap();
    Arc::new(Head::new(vec![0.0; 3 * WIDTH], vec![0.0; 3], centers).unwrap())
}

fn task(bench: &Bench, run: u64, images: usize, iterations: usize) -> EmbeddingTask {
    EmbeddingTask {
        run,
        images: (0..images).map(|number| image(number, &bench.seen)).collect(),
        head: Some(head()),
        texts: None,
        metric: FeatureDistance::Cosine,
        patterns: 1,
        config: TsneConfig { iterations, perplexity: 8.0, ..TsneConfig::default() },
    }
}

struct Bench {
    embedder: Embedder,
    events: crossbeam_channel::Receiver<Event>,
    woken: mpsc::Receiver<()>,
    seen: Arc<Mutex<Seen>>,
}

impl Bench {
    fn new() -> Self {
        let (sender, events) = unbounded();
        let (waker, woken) = mpsc::channel();
        let wake: super::super::Wake = Arc::new(move || waker.send(()).unwrap_or(()));
        let seen = Arc::new(Mutex::new(Seen::new()));
        let known = seen.clone();
        let recall: Recall = Arc::new(move |id| known.lock().unwrap().get(&id).cloned());
        let embedder = Embedder::start(Outbox { events: sender, wake }, recall).unwrap();
        Self { embedder, events, woken, seen }
    }

    fn next(&self) -> (u64, EmbeddingEvent) {
        self.woken.recv_timeout(Duration::from_secs(60)).unwrap();
        match self.events.recv().unwrap() {
            Event::Embedding { run, event } => (run, event),
            _ => panic!("an event that is not an embedding's"),
        }
    }

    /// The next frame of a run that `wanted` holds for.
    fn frame(&self, run: u64, wanted: impl Fn(&EmbeddingFrame) -> bool) -> EmbeddingFrame {
        loop {
            match self.next() {
                (of, EmbeddingEvent::Moved(frame)) if of == run && wanted(&frame) => return frame,
                (_, EmbeddingEvent::Failed(error)) => panic!("{error}"),
                _ => {}
            }
        }
    }
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[test]
fn both_maps_move_and_centers_end_among_their_own() {
    let bench = Bench::new();
    assert!(bench.embedder.ask(EmbeddingRequest::Run(task(&bench, 1, 60, 300))));
    let first = bench.frame(1, |frame| frame.iteration > 0);
    let last = bench.frame(1, |frame| frame.rests);
    assert_eq!(last.iteration, 300);
    assert!(first.positions[0] != last.positions[0] && first.positions[1] != last.positions[1]);
    assert_eq!([last.positions[0].len(), last.positions[1].len()], [60, 63]);
    let after = &last.positions[1];
    for class in 0..3 {
        let near = (0..60)
            .min_by(|&a, &b| {
                let to = |i: usize| distance(after[i], after[60 + class]);
                to(a).total_cmp(&to(b))
            })
            .unwrap();
        assert_eq!(near % 3, class);
    }
    assert!(last.kl.unwrap().iter().all(|kl| kl.is_finite() && *kl >= 0.0));
}

#[test]
fn pause_rests_and_later_images_are_placed_without_moving_others() {
    let bench = Bench::new();
    bench.embedder.ask(EmbeddingRequest::Run(task(&bench, 4, 45, 100_000)));
    bench.frame(4, |frame| frame.iteration > 0);
    bench.embedder.ask(EmbeddingRequest::Pause);
    let rest = bench.frame(4, |frame| frame.rests);
    let images = vec![image(45, &bench.seen), image(46, &bench.seen)];
    bench.embedder.ask(EmbeddingRequest::Place { run: 3, images: images.clone() });
    bench.embedder.ask(EmbeddingRequest::Place { run: 4, images });
    let placed = bench.frame(4, |frame| frame.placed > 0);
    assert_eq!((placed.placed, placed.iteration), (2, rest.iteration));
    assert_eq!(placed.positions[1][..48], rest.positions[1][..]);
    // Number 45 is of the first corner.
    let new = placed.positions[1][48];
    let near = (0..45).min_by(|&a, &b| {
        let to = |i: usize| distance(placed.positions[1][i], new);
        to(a).total_cmp(&to(b))
    });
    assert_eq!(near.unwrap() % 3, 0);
    bench.embedder.ask(EmbeddingRequest::Resume);
    let moved = bench.frame(4, |frame| frame.iteration > rest.iteration);
    assert!(moved.positions[0][45][0].is_nan(), "placed again only when points rest");
    bench.embedder.ask(EmbeddingRequest::Stop);
    let stopped = bench.frame(4, |frame| frame.rests);
    assert!(stopped.positions[0].iter().flatten().all(|x| x.is_finite()));
}

#[test]
fn the_newest_run_wins() {
    let bench = Bench::new();
    for run in 1..=5 {
        bench.embedder.ask(EmbeddingRequest::Run(task(&bench, run, 40, 100_000)));
    }
    bench.frame(5, |frame| frame.iteration > 0);
}

#[test]
fn equal_seeds_give_equal_maps() {
    let last = |run| {
        let bench = Bench::new();
        bench.embedder.ask(EmbeddingRequest::Run(task(&bench, run, 30, 90)));
        bench.frame(run, |frame| frame.rests)
    };
    assert_eq!(last(1).positions, last(2).positions);
}

#[test]
fn an_image_that_keeps_nothing_is_not_laid_out() {
    let kept = image(0, &Mutex::default());
    let mut analysis = (*kept.analysis).clone();
    analysis.decomposition.mask = vec![false; 3];
    assert!(EmbeddedImage::new(kept.id, &Arc::new(analysis)).is_none());
}

/// A CLIP's image: its own feature and two patches lie about one of three corners.
fn clip_image(number: usize, seen: &Mutex<Seen>) -> EmbeddedImage {
    let image = image(number, seen);
    let mut all = seen.lock().unwrap();
    let tagged = all.get_mut(&image.id).unwrap();
    tagged.arch = Arch::Clip;
    image
}

/// Text features at the corners, in an order.
fn texts(corners: [usize; 3]) -> Arc<LabelSet> {
    let unit = (1.0 / (0..WIDTH).filter(|at| at % 3 == 0).count() as f32).sqrt();
    let corner =
        |corner: usize| (0..WIDTH).map(move |at| if at % 3 == corner { unit } else { 0.0 });
    let features = corners.into_iter().flat_map(corner).collect();
    Arc::new(LabelSet { width: WIDTH, features, ..LabelSet::default() })
}

#[test]
fn names_lie_among_the_images_like_them_and_move_none_when_they_change() {
    let bench = Bench::new();
    let images = (0..60).map(|number| clip_image(number, &bench.seen)).collect();
    let (head, texts_now) = (None, Some(texts([0, 1, 2])));
    let task = EmbeddingTask { images, head, texts: texts_now, ..task(&bench, 9, 0, 300) };
    bench.embedder.ask(EmbeddingRequest::Run(task));
    let moving = bench.frame(9, |frame| frame.iteration > 0 && !frame.rests);
    assert!(moving.positions.iter().all(|space| space.len() == 63 && space[60][0].is_nan()));
    let near = |frame: &EmbeddingFrame, space: usize, star: usize| {
        let at = &frame.positions[space];
        let to = |i: usize| distance(at[i], at[60 + star]);
        (0..60).min_by(|&a, &b| to(a).total_cmp(&to(b))).unwrap() % 3
    };
    let mut before = bench.frame(9, |frame| frame.rests);
    for corners in [[0, 1, 2], [2, 0, 1]] {
        let texts = texts(corners);
        bench.embedder.ask(EmbeddingRequest::Name { run: 8, texts: texts.clone() });
        bench.embedder.ask(EmbeddingRequest::Name { run: 9, texts: texts.clone() });
        let named = |frame: &EmbeddingFrame| Arc::ptr_eq(frame.texts.as_ref().unwrap(), &texts);
        let after = bench.frame(9, named);
        for space in 0..SPACES {
            assert_eq!(after.positions[space][..60], before.positions[space][..60]);
            assert_eq!([0, 1, 2].map(|star| near(&after, space, star)), corners, "{space}");
        }
        before = after;
    }
    // An image that comes later stands behind the names.
    let images = vec![clip_image(60, &bench.seen)];
    bench.embedder.ask(EmbeddingRequest::Place { run: 9, images });
    let placed = bench.frame(9, |frame| frame.placed == 1);
    assert!(placed.positions.iter().all(|space| space.len() == 64 && space[63][0].is_finite()));
}
