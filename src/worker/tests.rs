//! The loop, step by step and as a whole, with the embedded model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::decode::Batch;
use super::*;
use crate::bundle::embedded;
use crate::bundle::manifest::Recipe;
use crate::bundle::vocabulary::Class;
use crate::gpu::{self, DeviceChoice};
use crate::image::{DecodeOptions, Transform, decode_file};
use crate::pipeline::{Keep, Pipeline, PipelineError, Settings, TaggerKey};

fn pipeline(transform: Transform) -> anyhow::Result<Pipeline> {
    let mut bundle = embedded::bundle()?;
    bundle.manifest.transform = transform;
    Ok(Pipeline::load(&bundle, &gpu::compute(DeviceChoice::Cpu)?)?)
}

fn opens(transform: Transform) -> OpenModel {
    Arc::new(move |_| pipeline(transform))
}

/// Pictures of some size whose two transforms differ.
fn pictures(folder: &Path, count: u32) -> Vec<PathBuf> {
    let paint =
        |number: u32| move |x: u32, y: u32| image::Rgb([(x * 2 + number) as u8, (y * 3) as u8, 90]);
    let save = |number: u32| {
        let path = folder.join(format!("{number}.png"));
        image::RgbImage::from_fn(140, 110, paint(number)).save(&path).unwrap();
        path
    };
    (0..count).map(save).collect()
}

/// The loop's parts without its thread.
struct Bench {
    work: Work,
    batches: Receiver<Batch>,
    events: Receiver<Event>,
}

fn bench() -> Bench {
    let (outbox, events) = Outbox::for_tests();
    let (sender, batches) = bounded(BATCHES);
    let decoder = Decoder::new(sender, Jobs::new(outbox.clone()), outbox, None);
    let cache = Arc::new(TaggerCache::new(tagger_cache::LIMIT));
    Bench { work: Work::new(decoder, cache), batches, events }
}

impl Bench {
    fn load(&mut self, open: OpenModel) {
        let (name, device) = (String::new(), DeviceChoice::Cpu);
        self.work.handle(Request::LoadModel { name, open, device });
        let loaded = self.work.loaded.1.recv().unwrap();
        self.work.take_loaded(loaded);
    }

    fn next_batch(&mut self) {
        let batch = self.batches.recv_timeout(Duration::from_secs(60)).unwrap();
        self.work.take_batch(batch);
    }

    fn open(&mut self, sources: Vec<ImageSource>) -> JobId {
        let job = JobId::unique();
        self.work.handle(Request::AddSources { job, sources });
        job
    }

    fn tagged(&self) -> Vec<ImageId> {
        let tagged = |event| match event {
            Event::TaggerOutput { image, .. } => Some(image),
            _ => None,
        };
        self.events.try_iter().filter_map(tagged).collect()
    }
}

fn files(paths: &[PathBuf]) -> Vec<ImageSource> {
    paths.iter().cloned().map(ImageSource::File).collect()
}

#[test]
fn images_prepared_for_another_model_are_prepared_again() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path(), 3);
    let mut bench = bench();
    bench.load(opens(Transform::Ram));
    let job = bench.open(files(&paths));
    bench.next_batch();
    // The same side, another transform: nothing would complain of the old inputs.
    bench.load(opens(Transform::Tagood));
    assert!(bench.work.tag_on());
    assert!(bench.tagged().is_empty(), "nothing of the first model's preparation is tagged");
    bench.next_batch();
    while bench.work.tag_on() {}
    let images = bench.work.cache.images();
    assert_eq!(images.len(), paths.len());
    let pipeline = pipeline(Transform::Tagood).unwrap();
    for (image, path) in images.into_iter().zip(&paths) {
        let rgb = decode_file(path, &DecodeOptions::default()).unwrap().rgb;
        let expected = pipeline.tag(&[pipeline.prepare(&rgb)], Keep::Id).unwrap().remove(0);
        let found = bench.work.cache.get(image).unwrap().unwrap();
        assert_eq!(found.logits.len(), expected.logits.len());
        let far = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-3;
        assert!(!found.logits.iter().zip(&expected.logits).any(far), "{}", path.display());
    }
    let ended = |event: &Event| matches!(event, Event::JobEnded(of) if *of == job);
    assert!(bench.work.jobs.is_empty());
    assert_eq!(bench.events.try_iter().filter(ended).count(), 1);
}

#[test]
fn slow_images_are_tagged_one_by_one_with_requests_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path(), 8);
    let mut bench = bench();
    bench.load(opens(Transform::Ram));
    let job = bench.open(files(&paths));
    bench.next_batch();
    assert!(bench.work.tag_on());
    let first = bench.tagged();
    assert_eq!(first.len(), 1, "until it is known how long one takes");
    bench.work.tagging.measured(1, Duration::from_secs(2));
    assert!(bench.work.tag_on());
    assert_eq!(bench.tagged().len(), 1, "a model that takes seconds");
    // One that was removed on its way is not tagged, and a stop leaves the rest.
    let third = bench.work.to_tag[0].prepared.image;
    bench.work.handle(Request::Remove(vec![third]));
    bench.work.tagging.measured(1, Duration::from_secs(2));
    assert!(bench.work.tag_on());
    assert!(!bench.tagged().contains(&third) && !bench.work.cache.images().contains(&third));
    bench.work.handle(Request::Cancel(job));
    while bench.work.tag_on() {}
    assert_eq!(bench.work.cache.images().len(), 3, "two, and the one after the removed one");
    assert!(bench.work.jobs.is_empty());
}

#[test]
fn a_model_that_cannot_be_opened_leaves_the_one_at_hand() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench();
    bench.load(opens(Transform::Ram));
    bench.open(files(&pictures(folder.path(), 1)));
    bench.next_batch();
    assert!(bench.work.tag_on());
    let broken: [OpenModel; 2] =
        [Arc::new(|_| anyhow::bail!("no model here")), Arc::new(|_| panic!("a damaged file"))];
    for open in broken {
        bench.load(open);
        let failed = bench.events.try_iter().find_map(|event| match event {
            Event::ModelFailed(error) => Some(error),
            _ => None,
        });
        let error = failed.unwrap();
        assert!(!error.is_empty() && !error.contains("panicked"), "{error}");
        assert_eq!(bench.work.cache.images().len(), 1, "its results are kept");
        let settings = Settings::new(0.3, Recipe::Paper);
        bench.work.handle(Request::Analysis { generation: 1, settings, focus: None });
        assert!(bench.work.analyse_on(), "and it goes on answering");
        let answers = |event| matches!(event, Event::Analysed { generation: 1, .. });
        assert!(bench.events.try_iter().any(answers));
    }
}

#[test]
fn of_two_models_the_last_asked_for_is_taken() {
    let mut bench = bench();
    let (late, first) = bounded::<()>(0);
    let waits: OpenModel = Arc::new(move |_| {
        first.recv().ok();
        pipeline(Transform::Tagood)
    });
    let (name, device) = (String::new(), DeviceChoice::Cpu);
    bench.work.handle(Request::LoadModel { name, open: waits, device });
    bench.load(opens(Transform::Ram));
    drop(late);
    let loaded = bench.work.loaded.1.recv().unwrap();
    bench.work.take_loaded(loaded);
    let ready = |event| match event {
        Event::ModelReady(info) => Some(info.manifest.transform),
        _ => None,
    };
    let taken: Vec<Transform> = bench.events.try_iter().filter_map(ready).collect();
    assert_eq!(taken, [Transform::Ram]);
}

/// Events of a worker until all these jobs have ended.
fn until_ended(worker: &Worker, jobs: &[JobId]) -> Vec<Event> {
    let mut left: BTreeMap<JobId, ()> = jobs.iter().map(|&job| (job, ())).collect();
    let (mut events, started) = (Vec::new(), Instant::now());
    while !left.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(300), "{} jobs do not end", left.len());
        while let Some(event) = worker.next_event() {
            if let Event::JobEnded(job) = &event {
                left.remove(job);
            }
            events.push(event);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    events
}

#[test]
fn no_request_is_lost_however_many_come_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path(), 1);
    let worker = Worker::start(Arc::new(|| {}), None).unwrap();
    let (go, model) = bounded::<()>(0);
    let open: OpenModel = Arc::new(move |_| {
        model.recv().ok();
        pipeline(Transform::Ram)
    });
    worker.ask(Request::LoadModel { name: String::new(), open, device: DeviceChoice::Cpu });
    let jobs: Vec<JobId> = (0..3000).map(|_| JobId::unique()).collect();
    for (at, &job) in jobs.iter().enumerate() {
        let path = match at % 500 {
            0 => paths[0].clone(),
            _ => folder.path().join("nowhere.png"),
        };
        worker.ask(Request::AddPaths { job, paths: vec![path] });
        let settings = Settings::new(at as f32 / 3000.0, Recipe::Paper);
        worker.ask(Request::Analysis { generation: at as u64, settings, focus: None });
    }
    drop(go);
    let events = until_ended(&worker, &jobs);
    let count = |of: fn(&Event) -> bool| events.iter().filter(|event| of(event)).count();
    assert_eq!(count(|event| matches!(event, Event::JobEnded(_))), jobs.len());
    assert_eq!(count(|event| matches!(event, Event::TaggerOutput { .. })), 6);
    assert_eq!(count(|event| matches!(event, Event::Failed { .. })), 3000 - 6);
    assert_eq!(count(|event| matches!(event, Event::Trouble(_))), 0);
}

#[test]
fn every_job_can_be_stopped_with_no_model_at_hand_too() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path(), 20);
    let worker = Worker::start(Arc::new(|| {}), None).unwrap();
    let mut jobs: Vec<JobId> = (0..40).map(|_| JobId::unique()).collect();
    for &job in &jobs {
        worker.ask(Request::AddPaths { job, paths: paths.clone() });
    }
    let (written, began) = (folder.path().join("table.csv"), bounded::<()>(1));
    let (out, begin) = (written.clone(), began.0);
    let export = JobId::unique();
    jobs.push(export);
    let task: Task = Box::new(move |control| {
        begin.send(()).ok();
        while !control.is_cancelled() {
            std::thread::sleep(Duration::from_millis(1));
        }
        match control.is_cancelled() {
            true => Ok(()),
            false => std::fs::write(&out, "").map_err(|error| error.to_string()),
        }
    });
    worker.ask(Request::Run { job: export, task });
    began.1.recv().unwrap();
    jobs.iter().for_each(|&job| worker.ask(Request::Cancel(job)));
    let events = until_ended(&worker, &jobs);
    let ends = events.iter().filter(|event| matches!(event, Event::JobEnded(_))).count();
    assert_eq!(ends, jobs.len(), "each ends once");
    assert!(!written.exists());
    let failing = JobId::unique();
    worker.ask(Request::Run { job: failing, task: Box::new(|_| panic!("a fault of ours")) });
    let events = until_ended(&worker, &[failing]);
    assert!(events.iter().any(|event| matches!(event, Event::Trouble(_))));
}

#[test]
fn a_restart_finds_what_was_made_of_known_files_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, paths) = (folder.path().join("kept"), pictures(folder.path(), 5));
    let key = |name: &str| TaggerKey::of_parts([("name", name.as_bytes())]);
    let run = |outputs: Option<OutputCache>, name: &'static str, paths: &[PathBuf]| {
        let worker = Worker::start(Arc::new(|| {}), outputs).unwrap();
        let open: OpenModel =
            Arc::new(move |_| Ok(pipeline(Transform::Ram)?.with_tagger_key(key(name))));
        worker.ask(Request::LoadModel { name: String::new(), open, device: DeviceChoice::Cpu });
        let job = JobId::unique();
        worker.ask(Request::AddPaths { job, paths: paths.to_vec() });
        let events = until_ended(&worker, &[job]);
        let order = events.iter().find_map(|event| match event {
            Event::Listed { images, .. } => Some(images.clone()),
            _ => None,
        });
        let networks = events.iter().filter(
            |event| matches!(event, Event::TaggerOutput { tagger_ms, .. } if *tagger_ms > 0.0),
        );
        let recall = worker.recaller();
        let found = order.unwrap().into_iter().map(|(image, _)| recall(image).unwrap());
        (networks.count(), found.collect::<Vec<TaggerOutput>>())
    };
    let outputs = || Some(OutputCache::new(kept.clone(), 1 << 30));
    let (without, plain) = run(None, "a", &paths);
    let (first, made) = run(outputs(), "a", &paths);
    let (again, found) = run(outputs(), "a", &paths);
    assert_eq!((without, first, again), (5, 5, 0));
    assert_eq!(made, found);
    assert_eq!(plain, found, "with and without the cache");
    assert_eq!(run(outputs(), "another", &paths).0, 5);
    // Another file under a known name is another file.
    std::fs::copy(&paths[0], &paths[1]).unwrap();
    let (changed, copies) = run(outputs(), "a", &paths[..2]);
    assert_eq!((changed, &copies[0]), (0, &copies[1]), "known by content, whatever its name");
}

#[test]
fn other_labels_judge_the_open_images_anew_and_none_is_tagged_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench();
    bench.load(opens(Transform::Ram));
    bench.open(files(&pictures(folder.path(), 4)));
    bench.next_batch();
    while bench.work.tag_on() {}
    let images = bench.work.cache.images();
    assert_eq!(bench.tagged(), images);
    // The model knows one tag that it did not know.
    let other = || {
        let mut bundle = embedded::bundle().unwrap();
        let unknown = (0..bundle.vocabulary.tags.len()).find(|tag| !bundle.vocabulary.is_id(*tag));
        let name = "a name".to_owned();
        bundle.vocabulary.set_classes(vec![Class { name, tags: unknown.into_iter().collect() }]);
        (bundle.projector, bundle.projector_ce, bundle.statistics) = (None, None, None);
        Pipeline::load(&bundle, &gpu::compute(DeviceChoice::Cpu).unwrap()).unwrap()
    };
    let change: ChangeLabels = Arc::new(move |pipeline| {
        *pipeline = other();
        Ok(())
    });
    let settings =
        Settings { detector: "tag-score".to_owned(), ..Settings::new(0.5, Recipe::Released) };
    let focus = Some(images[2]);
    let request = Request::SetLabels { generation: 5, settings: settings.clone(), focus, change };
    bench.work.handle(request);
    while bench.work.analyse_on() {}
    let mut events: Vec<Event> = bench.events.try_iter().collect();
    assert!(
        matches!(events.remove(0), Event::LabelsSet { generation: 5, info } if info.vocabulary.classes.len() == 1)
    );
    let pipeline = other();
    for (at, event) in events.into_iter().enumerate() {
        let Event::Analysed { image, generation: 5, analysis } = event else {
            panic!("only analyses are told");
        };
        assert!(at > 0 || Some(image) == focus, "the one on show first");
        let rgb =
            decode_file(&folder.path().join(name_of(&images, image)), &DecodeOptions::default());
        let tagged = pipeline.tag(&[pipeline.prepare(&rgb.unwrap().rgb)], Keep::Id).unwrap();
        let expected = pipeline.analyse(&tagged[0], &settings).unwrap();
        assert_eq!(analysis.decomposition.tags, expected.decomposition.tags);
        assert_eq!(analysis.decomposition.map, expected.decomposition.map);
    }
    let refused: ChangeLabels = Arc::new(|_| Err(PipelineError::NotFitted("no such tag".into())));
    let (generation, focus) = (6, None);
    bench.work.handle(Request::SetLabels { generation, settings, focus, change: refused });
    while bench.work.analyse_on() {}
    let events: Vec<Event> = bench.events.try_iter().collect();
    assert!(
        matches!(&events[0], Event::LabelsRefused { generation: 6, error } if error.contains("no such tag"))
    );
    assert_eq!(events.len(), 1 + images.len(), "and the images are judged as before");
}

/// The file that an image was opened from: they have their names in order.
fn name_of(images: &[ImageId], image: ImageId) -> String {
    format!("{}.png", images.iter().position(|other| *other == image).unwrap())
}
