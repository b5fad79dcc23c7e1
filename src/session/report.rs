//! The report of `evaluate` on the open sets: which images, at which settings.

use std::path::PathBuf;

use super::basis::{Basis, LambdaOrigin};
use super::curves::SEED;
use super::entry::Entry;
use super::sets::Role;
use crate::eval::gather::Plan;
use crate::eval::report::Bootstrap;
use crate::eval::scores::{FailedImage, ScoredImage};
use crate::eval::separation;
use crate::pipeline::OdinInput;
use crate::score;
use crate::worker::{JobId, ReportSet, ReportTask};

/// The further τ of the report, as `evaluate` has them.
const TAUS: [f32; 4] = [0.0, 0.25, 0.5, 0.75];

/// What the report of `evaluate` on the open sets is made from: every detector at the settings in
/// force, with the intervals that the window shows.
///
/// # Errors
/// A sentence on what is lacking.
pub(super) fn task(
    basis: &Basis,
    lambda: Option<(f32, LambdaOrigin)>,
    job: JobId,
    out: PathBuf,
) -> Result<ReportTask, String> {
    let info = basis.info().ok_or("there is no model to score with")?;
    if info.head.is_none() {
        return Err("the model has no projector, without which nothing is scored".into());
    }
    let mut sets = reported_sets(basis);
    if sets.first().is_none_or(|id| id.images.is_empty()) {
        return Err("there is no in-distribution set; say which one is, beside the plots".into());
    }
    sets.retain(|set| !set.images.is_empty());
    if sets.len() < 2 {
        return Err("there is no out-of-distribution set to compare with".into());
    }
    name_as_files(&mut sets);
    let settings = &basis.settings;
    let own = info.manifest.lambda(&settings.detector, settings.recipe).map(|own| own.value);
    let lambda = lambda.filter(|(lambda, _)| own != Some(*lambda));
    let notes = lambda.map(|(lambda, origin)| {
        let detector = score::by_name(&settings.detector).map(|found| found.info().name);
        let detector = detector.unwrap_or(&settings.detector);
        let origin = match origin {
            LambdaOrigin::OpenSet => "keeps 95 % of this in-distribution set",
            LambdaOrigin::User | LambdaOrigin::Model => "is the one in force in the window",
        };
        format!("the threshold λ = {lambda} of {detector} {origin}")
    });
    let (id, largest) = (sets[0].images.len(), sets[1..].iter().map(|set| set.images.len()));
    let resamples = separation::resamples(id + largest.max().unwrap_or_default());
    Ok(ReportTask {
        job,
        plan: Plan {
            recipe: settings.recipe,
            tau: settings.tau,
            main: settings.features,
            taus: TAUS.to_vec(),
            whole_image: true,
            detectors: score::all_of(info.manifest.arch),
            odin: OdinInput::Tokens,
        },
        sets,
        lambda: lambda.map(|(lambda, _)| (settings.detector.clone(), lambda)),
        bootstrap: Some(Bootstrap { resamples, seed: SEED }),
        notes: notes.into_iter().collect(),
        out,
    })
}

/// All in-distribution images as one set, as the curves have them, then the other sets.
fn reported_sets(basis: &Basis) -> Vec<ReportSet> {
    let of_role = |role: Role| {
        let sets = basis.images.sets().iter().enumerate().filter(move |(_, set)| set.role == role);
        sets.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let mut places = vec![of_role(Role::Id)];
    places.extend(of_role(Role::Ood).into_iter().map(|at| vec![at]));
    places.iter().map(|places| reported(basis, places)).collect()
}

/// The images of some sets that were tagged, as one set, and those that could not be read.
fn reported(basis: &Basis, places: &[usize]) -> ReportSet {
    let titles: Vec<&str> = places.iter().map(|&at| basis.images.sets()[at].title()).collect();
    let mut set = ReportSet { name: titles.join(" + "), images: Vec::new(), failed: Vec::new() };
    for entry in basis.images.entries().iter().filter(|entry| places.contains(&entry.set_at)) {
        let path = match entry.source.path() {
            Some(path) => path.display().to_string(),
            None => entry.name.clone(),
        };
        match &entry.error {
            Some(error) => set.failed.push(FailedImage { path, error: error.clone() }),
            None if entry.is_tagged => {
                let class = class_name(basis, entry);
                let image = ScoredImage { path, class, ..ScoredImage::default() };
                set.images.push((entry.id, image));
            }
            None => {}
        }
    }
    set
}

fn class_name(basis: &Basis, entry: &Entry) -> Option<String> {
    let class = basis.info()?.vocabulary.classes.get(entry.class?)?;
    Some(class.name.clone())
}

/// Files are named after the sets: each gets a name that can be one's, and of its own.
fn name_as_files(sets: &mut [ReportSet]) {
    let mut taken: Vec<String> = Vec::with_capacity(sets.len());
    for set in sets {
        let plain = set.name.replace(['/', '\\', ':', '\0'], "-");
        let plain = plain.trim_start_matches('.');
        let plain = if plain.is_empty() { "set" } else { plain };
        let numbered = (2..).map(|number| format!("{plain} {number}"));
        let mut names = std::iter::once(plain.to_owned()).chain(numbered);
        // Of endlessly many names one is free.
        set.name = names.find(|name| !taken.contains(name)).unwrap_or_default();
        taken.push(set.name.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_files_and_differ() {
        let set = |name: &str| ReportSet {
            name: name.to_owned(),
            images: Vec::new(),
            failed: Vec::new(),
        };
        let mut sets = ["a/test", "a-test", ".hidden", "..", "near"].map(set);
        name_as_files(&mut sets);
        let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["a-test", "a-test 2", "hidden", "set", "near"]);
    }
}
