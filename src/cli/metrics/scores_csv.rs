//! Reading the file of scores.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use csv::{ReaderBuilder, StringRecord, Trim};

use crate::dataset::csv_text::{self, LineCounter};
use crate::eval::metrics::{Label, RankedScores};

/// The name of the only set in a file that names none.
const UNNAMED_SET: &str = "all";

/// One set of the file.
pub(super) struct ScoredSet {
    pub name: String,
    pub ranked: RankedScores,
}

/// Scores by label.
#[derive(Default)]
struct ScoresFile {
    id: Vec<f64>,
    ood: Vec<f64>,
}

impl ScoresFile {
    fn push(&mut self, score: f64, label: Label) {
        match label {
            Label::Id => self.id.push(score),
            Label::Ood => self.ood.push(score),
        }
    }
}

/// Where the columns stand.
struct Columns {
    score: usize,
    label: usize,
    set: Option<usize>,
    count: usize,
}

/// Reads the sets of a file, in the order in which the file first names them.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<ScoredSet>> {
    let text = csv_text::read(path)?;
    let mut reader =
        ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text.as_bytes());
    let columns = Columns::from_header(reader.headers()?)?;
    let mut shared = ScoresFile::default();
    let mut sets: Vec<(String, ScoresFile)> = Vec::new();
    let mut place_of_set: HashMap<String, usize> = HashMap::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record)? {
        let (score, label) = columns
            .row(&record)
            .with_context(|| format!("line {}", LineCounter::new(&text).line_of(&record)))?;
        let name = columns.set.and_then(|column| record.get(column)).unwrap_or("");
        if name.is_empty() {
            shared.push(score, label);
        } else if let Some(&place) = place_of_set.get(name) {
            sets[place].1.push(score, label);
        } else {
            place_of_set.insert(name.to_owned(), sets.len());
            let mut scores = ScoresFile::default();
            scores.push(score, label);
            sets.push((name.to_owned(), scores));
        }
    }
    if sets.is_empty() {
        let ranked = RankedScores::from_sets(shared.id, shared.ood)?;
        return Ok(vec![ScoredSet { name: UNNAMED_SET.to_owned(), ranked }]);
    }
    sets.into_iter().map(|(name, scores)| rank_set(name, scores, &shared)).collect()
}

fn rank_set(name: String, scores: ScoresFile, shared: &ScoresFile) -> anyhow::Result<ScoredSet> {
    let id = scores.id.iter().chain(&shared.id).copied();
    let ood = scores.ood.iter().chain(&shared.ood).copied();
    let ranked = RankedScores::from_sets(id, ood).map_err(|error| {
        anyhow!("set {name:?}: {error} (rows shared by all sets have an empty `set` cell)")
    })?;
    Ok(ScoredSet { name, ranked })
}

impl Columns {
    fn from_header(header: &StringRecord) -> anyhow::Result<Self> {
        let place = |name: &str| -> anyhow::Result<Option<usize>> {
            let mut places = (0..header.len()).filter(|&i| header[i].eq_ignore_ascii_case(name));
            let place = places.next();
            if places.next().is_some() {
                bail!("line 1: the header names the column `{name}` twice");
            }
            Ok(place)
        };
        let required = |name: &str| {
            let found = csv_text::header_names(header);
            place(name)?.with_context(|| {
                format!("line 1: the header must name a column `{name}`; it names: {found}")
            })
        };
        Ok(Self {
            score: required("score")?,
            label: required("label")?,
            set: place("set")?,
            count: header.len(),
        })
    }

    fn row(&self, record: &StringRecord) -> anyhow::Result<(f64, Label)> {
        csv_text::check_width(record, self.count).map_err(anyhow::Error::msg)?;
        if record.len() < self.count {
            bail!("{} cells, but the header names {} columns", record.len(), self.count);
        }
        let score = record.get(self.score).unwrap_or("");
        let score: f64 =
            score.parse().ok().with_context(|| format!("the score {score:?} is not a number"))?;
        if score.is_nan() {
            bail!("the score is not a number (NaN)");
        }
        let label = record.get(self.label).unwrap_or("");
        Ok((score, label_from_text(label)?))
    }
}

/// Tables that passed through floats say `1.0` and `0.0`.
fn label_from_text(text: &str) -> anyhow::Result<Label> {
    match text {
        "1" | "1.0" => Ok(Label::Id),
        "0" | "0.0" => Ok(Label::Ood),
        name if name.eq_ignore_ascii_case("id") => Ok(Label::Id),
        name if name.eq_ignore_ascii_case("ood") => Ok(Label::Ood),
        other => bail!("the label {other:?} is neither 1 (ID) nor 0 (OOD)"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::{damaged, fuzz, one_sentence};

    #[test]
    fn damaged_scores_are_read_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scores.csv");
        let whole = "score,label,set\r\n0.9,id,\r\n-1e-3,0,a\r\n0.25,OOD,\"b, c\"\r\n";
        fuzz(2000, damaged(whole.into()), |bytes| {
            std::fs::write(&file, bytes)?;
            match read(&file) {
                Ok(sets) => prop_assert!(!sets.is_empty()),
                Err(error) => one_sentence(&format!("{error:#}"), "")?,
            }
            Ok(())
        });
    }
}
