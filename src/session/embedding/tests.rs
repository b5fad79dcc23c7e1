//! What becomes of a CLIP's map when names change.

use super::*;
use crate::bundle::embedded;
use crate::bundle::manifest::ClipPart;
use crate::image::Normalisation;
use crate::pipeline::{Analysis, Decomposition, Projected};
use crate::score::verdict::Verdict;
use crate::session::{Command, Session, SessionRequest};
use crate::worker::{Event, ImageSource, JobId};

/// What there is to know of a CLIP for which so many names are known.
fn clip(names: usize, features: FeatureChoice) -> Arc<ModelInfo> {
    let mut manifest = embedded::bundle().unwrap().manifest;
    manifest.tagger = None;
    manifest.clip = Some(ClipPart {
        templates: Vec::new(),
        features,
        pixels: Normalisation::CLIP,
        shape: embedded::clip().unwrap().config,
    });
    let labels = LabelSet { width: 2, features: vec![0.5; names * 2], ..LabelSet::default() };
    Arc::new(ModelInfo {
        vocabulary: Default::default(),
        device: "none".into(),
        head: None,
        detectors: Vec::new(),
        known: Default::default(),
        labels: Some(Arc::new(labels)),
        defaults: Settings { features, ..Settings::new(0.5, Recipe::Paper) },
        manifest,
        load_ms: 0.0,
    })
}

fn frame(texts: &Arc<ModelInfo>, images: usize, placed: usize) -> EmbeddingFrame {
    let texts = texts.labels.clone();
    let stars = texts.as_ref().map_or(0, |texts| texts.len());
    let positions: Arc<[[f32; 2]]> =
        (0..images + stars + placed).map(|at| [at as f32, 0.0]).collect();
    EmbeddingFrame {
        positions: [positions.clone(), positions],
        texts,
        iteration: 10,
        kl: None,
        perplexity: 2.0,
        rests: true,
        placed,
    }
}

/// A session with three images on the map of a CLIP, and the run.
fn mapped(info: &Arc<ModelInfo>) -> (Session, u64) {
    let mut session = Session::default();
    session.take(Event::ModelReady(info.clone()).into());
    let image = |at: usize| (ImageId::unique(), ImageSource::File(format!("/a/{at}.png").into()));
    let images: Vec<(ImageId, ImageSource)> = (0..LEAST).map(image).collect();
    let ids: Vec<ImageId> = images.iter().map(|(id, _)| *id).collect();
    let job = JobId::unique();
    session.take(Event::Listed { job, images, folders: Vec::new(), more: false }.into());
    session.take(Event::JobEnded(job).into());
    for image in ids {
        let mask = vec![true; 5];
        let analysis = Arc::new(Analysis {
            decomposition: Decomposition { mask, ..Decomposition::default() },
            projected: Some(Projected::default()),
            nearest: Vec::new(),
            patterns: Vec::new(),
            cosines: None,
            verdict: Verdict::without_names(),
            stage_ms: [0.0; 3],
        });
        let generation = session.images().generation();
        session.take(Event::TaggerOutput { image, tagger_ms: 1.0 }.into());
        session.take(Event::Analysed { image, generation, analysis }.into());
    }
    let requests = session.apply(Command::Embed(EmbedCommand::Start));
    let run = requests.iter().find_map(|request| match request {
        SessionRequest::Embedding(EmbeddingRequest::Run(task)) => {
            assert!(task.head.is_none() && task.texts.is_some());
            Some(task.run)
        }
        _ => None,
    });
    (session, run.unwrap())
}

fn stars(session: &Session) -> [usize; 2] {
    let is_star = |row: &&MapRow| matches!(row, MapRow::Center(_));
    session.embedding.rows().map(|rows| rows.iter().filter(is_star).count())
}

#[test]
fn stars_follow_the_names_and_old_ones_are_not_shown_under_new_names() {
    let (two, three) = (clip(2, FeatureChoice::WholeImage), clip(3, FeatureChoice::WholeImage));
    let (mut session, run) = mapped(&two);
    let moved = |session: &mut Session, frame| {
        session.take(Event::Embedding { run, event: EmbeddingEvent::Moved(frame) }.into());
    };
    moved(&mut session, frame(&two, LEAST, 0));
    assert_eq!(stars(&session), [2, 2]);
    let requests = session.take(Event::LabelsSet { generation: 1, info: three.clone() }.into());
    let named = requests.iter().any(|request| match request {
        SessionRequest::Embedding(EmbeddingRequest::Name { run: of, texts }) => {
            *of == run && Arc::ptr_eq(texts, three.labels.as_ref().unwrap())
        }
        _ => false,
    });
    assert!(named, "the new names are placed");
    for late in [false, true] {
        if late {
            moved(&mut session, frame(&two, LEAST, 0));
        }
        assert_eq!(stars(&session), [0, 0]);
        let frame = session.embedding.frame.as_ref().unwrap();
        assert!(frame.positions.iter().all(|space| space.len() == LEAST));
    }
    moved(&mut session, frame(&three, LEAST, 0));
    assert_eq!(stars(&session), [3, 3]);
    assert!(session.is_embedding_current(), "images do not depend on names");
}

#[test]
fn a_map_of_kept_patches_is_of_the_names_that_kept_them() {
    let (one, two) = (clip(1, FeatureChoice::Objects), clip(2, FeatureChoice::Objects));
    let (mut session, _) = mapped(&one);
    assert!(session.is_embedding_current());
    session.take(Event::LabelsSet { generation: 2, info: two }.into());
    assert!(!session.is_embedding_current());
}
