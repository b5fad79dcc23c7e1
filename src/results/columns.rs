//! What the columns of a table are, by their names.

use std::collections::HashMap;

use super::{Column, ResultsError, Table};
use crate::eval::metrics::Label;

/// Names of the column of images.
pub(super) const PATHS: [&str; 8] =
    ["path", "image", "image_path", "file", "filename", "file_name", "filepath", "img_path"];
/// Names of the column of sets.
pub(super) const SETS: [&str; 5] = ["set", "dataset", "split", "subset", "source"];
/// Names of the column that says 1 or ID, 0 or OOD.
const ROLES: [&str; 5] = ["label", "is_id", "role", "id_ood", "in_distribution"];
/// Names of the column that says 1 or true for OOD.
const OOD_FLAGS: [&str; 3] = ["is_ood", "ood", "out_of_distribution"];
/// Names of the column of true classes; a number below 0 is none of the ID classes.
const CLASSES: [&str; 7] = ["class", "true_class", "target", "ground_truth", "gt", "y", "y_true"];
/// Names of the column of predicted classes.
const PREDICTED: [&str; 6] =
    ["pred", "prediction", "predicted", "predicted_class", "y_pred", "pred_class"];
const LOGITS: [&str; 2] = ["logits", "logit"];
const FEATURES: [&str; 7] =
    ["features", "feature", "feats", "feat", "embedding", "embeddings", "penultimate"];
/// Numbers that are no score.
const NO_SCORES: [&str; 12] = [
    "",
    "unnamed: 0",
    "index",
    "idx",
    "row",
    "id",
    "image_id",
    "width",
    "height",
    "size",
    "lambda",
    "tau",
];

/// What the user says of a table.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The sets that are in-distribution, by name; those that the table says if there is none.
    pub id: Vec<String>,
    /// The columns that are scores, by name; all columns of numbers that are nothing else if there is
    /// none.
    pub scores: Vec<String>,
}

/// The rows of a network's results.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Images, where the table names them `[n]`.
    pub paths: Option<Vec<String>>,
    /// Names of the sets, in the order in which they first come.
    pub sets: Vec<String>,
    /// Each row's set `[n]`.
    pub set_of: Vec<usize>,
    /// Whether each row is in-distribution `[n]`.
    pub roles: Vec<Label>,
    /// Names of the classes, where the table has any.
    pub classes: Vec<String>,
    /// Each row's true class `[n]`; `None` where it has none of them.
    pub class_of: Vec<Option<usize>>,
    /// Columns of scores `[n]`, none of them NaN.
    pub scores: Vec<(String, Vec<f64>)>,
    /// Logits `[n, C]` and C, all finite.
    pub logits: Option<(Vec<f32>, usize)>,
    /// Features `[n, D]` and D, all finite.
    pub features: Option<(Vec<f32>, usize)>,
    /// What a reader should know of how the table was taken, as sentences.
    pub notes: Vec<String>,
}

impl Results {
    /// Takes a table's columns by their names.
    ///
    /// # Errors
    /// It cannot be told which rows are in-distribution, all are or none is; a chosen set or column is not
    /// there; there is nothing to score with; a score is NaN or missing, a logit or feature not finite, by
    /// row and column.
    pub fn of(table: Table, choice: &Choice) -> Result<Self, ResultsError> {
        let fault = |what: String| ResultsError::table(&table.path, what);
        let (sets, set_of) = sets(&table);
        let (roles, told_by) = roles(&table, choice, &sets, &set_of).map_err(fault)?;
        for role in [Label::Id, Label::Ood] {
            if !roles.contains(&role) {
                let names = sets.join(", ");
                return Err(fault(format!(
                    "no row of it is {role}, told by {told_by}: both kinds are needed; name the \
                     in-distribution sets with --id (there are: {names})"
                )));
            }
        }
        let (classes, class_of) = classes(&table, &roles);
        let mut notes = duplicates(&table);
        notes.push(format!("which rows are ID is told by {told_by}"));
        let scores = scores(&table, choice, &mut notes).map_err(fault)?;
        let logits = matrix(&table, &LOGITS).map_err(fault)?;
        let features = matrix(&table, &FEATURES).map_err(fault)?;
        if scores.is_empty() && logits.is_none() && features.is_none() {
            return Err(fault(format!(
                "no column of it is a score, logits or features; it has: {}",
                names(&table)
            )));
        }
        let paths = match table.named(&PATHS) {
            Some((_, Column::Texts(paths))) => Some(paths.clone()),
            _ => None,
        };
        Ok(Self { paths, sets, set_of, roles, classes, class_of, scores, logits, features, notes })
    }

    /// Number of rows n, at least two.
    pub fn rows(&self) -> usize {
        self.roles.len()
    }
}

fn names(table: &Table) -> String {
    table.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A cell as text, whatever the column holds.
fn text(column: &Column, row: usize) -> String {
    match column {
        Column::Texts(values) => values[row].clone(),
        Column::Numbers(values) if values[row].is_nan() => String::new(),
        Column::Numbers(values) => values[row].to_string(),
        Column::Rows { .. } => String::new(),
    }
}

/// Indices of equal texts, in the order in which they first come.
fn indexed(texts: impl Iterator<Item = String>) -> (Vec<String>, Vec<usize>) {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut names = Vec::new();
    let place = |text: String| match places.get(&text) {
        Some(&place) => place,
        None => {
            places.insert(text.clone(), names.len());
            names.push(text);
            names.len() - 1
        }
    };
    let of = texts.map(place).collect();
    (names, of)
}

fn sets(table: &Table) -> (Vec<String>, Vec<usize>) {
    let Some((_, column)) = table.named(&SETS) else {
        return (vec![String::new()], vec![0; table.rows]);
    };
    indexed((0..table.rows).map(|row| text(column, row)))
}

/// Every row's role, and what tells it.
fn roles(
    table: &Table,
    choice: &Choice,
    sets: &[String],
    set_of: &[usize],
) -> Result<(Vec<Label>, String), String> {
    let label = |is_id: bool| if is_id { Label::Id } else { Label::Ood };
    let by_set = |is_id: &dyn Fn(&String) -> bool| {
        let of: Vec<Label> = sets.iter().map(|name| label(is_id(name))).collect();
        set_of.iter().map(|&set| of[set]).collect::<Vec<_>>()
    };
    if !choice.id.is_empty() {
        if let Some(unknown) = choice.id.iter().find(|name| !sets.contains(name)) {
            return Err(format!(
                "there is no set `{unknown}` in it; there are: {}",
                sets.join(", ")
            ));
        }
        return Ok((by_set(&|name| choice.id.contains(name)), "--id".into()));
    }
    if let Some((name, column)) = table.named(&OOD_FLAGS) {
        let roles = flags(name, column, table.rows)?;
        let roles = roles.into_iter().map(|is_ood| label(!is_ood)).collect();
        return Ok((roles, format!("the column `{name}`")));
    }
    if let Some((name, column)) = table.named(&ROLES) {
        let told = format!("the column `{name}`");
        if is_classes(table, name, column) {
            return Ok((
                by_sign(column),
                format!("{told}, classes of which those below 0 are OOD"),
            ));
        }
        let roles = flags(name, column, table.rows)?;
        return Ok((roles.into_iter().map(label).collect(), told));
    }
    if let Some((name, column @ Column::Numbers(classes))) = table.named(&CLASSES)
        && classes.iter().any(|&class| class < 0.0)
    {
        return Ok((by_sign(column), format!("the column `{name}`, where it is below 0")));
    }
    let is_id = |name: &String| {
        let name = name.to_ascii_lowercase();
        ["id", "ind", "in", "in-distribution", "in_distribution"].contains(&name.as_str())
    };
    if sets.iter().any(is_id) {
        return Ok((by_set(&is_id), "the sets' names".into()));
    }
    Err(match sets {
        [_] => {
            "it does not say which rows are in-distribution; give it a column `label` with 1 (ID) \
                or 0 (OOD), or one file for each set and --id"
                .into()
        }
        sets => format!(
            "it does not say which rows are in-distribution; name their sets with --id (there are: {})",
            sets.join(", ")
        ),
    })
}

/// Whether a column `label` holds classes (as OpenOOD's score files have it, beside `pred`) and not 1
/// for ID and 0 for OOD.
fn is_classes(table: &Table, name: &str, column: &Column) -> bool {
    let Column::Numbers(values) = column else { return false };
    let beyond = |&value: &f64| value != 0.0 && value != 1.0 && !value.is_nan();
    name.eq_ignore_ascii_case("label")
        && (table.named(&PREDICTED).is_some() || values.iter().any(beyond))
}

fn by_sign(column: &Column) -> Vec<Label> {
    match column {
        Column::Numbers(values) => {
            values.iter().map(|&v| if v >= 0.0 { Label::Id } else { Label::Ood }).collect()
        }
        _ => Vec::new(),
    }
}

/// Cells that say yes or no.
fn flags(name: &str, column: &Column, rows: usize) -> Result<Vec<bool>, String> {
    let flag = |row: usize| {
        let text = text(column, row);
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "id" | "ind" | "in" | "in-distribution" | "known" => Ok(true),
            "0" | "false" | "no" | "ood" | "out" | "out-of-distribution" | "unknown" => Ok(false),
            _ => Err(format!(
                "row {} of `{name}` says {text:?}, which is neither 1 (ID) nor 0 (OOD)",
                row + 1
            )),
        }
    };
    // A column that is named after OOD may say it in words, too.
    let inverted = OOD_FLAGS.iter().any(|known| known.eq_ignore_ascii_case(name));
    let worded = |row: usize| {
        let text = text(column, row).to_ascii_lowercase();
        matches!(
            text.as_str(),
            "id" | "ind"
                | "in"
                | "in-distribution"
                | "known"
                | "ood"
                | "out"
                | "out-of-distribution"
                | "unknown"
        )
    };
    (0..rows).map(|row| Ok(flag(row)? ^ (inverted && worded(row)))).collect()
}

/// Classes of the rows that are in-distribution.
fn classes(table: &Table, roles: &[Label]) -> (Vec<String>, Vec<Option<usize>>) {
    let of_label = || table.named(&ROLES).filter(|(name, column)| is_classes(table, name, column));
    let Some((_, column)) = table.named(&CLASSES).or_else(of_label) else {
        return (Vec::new(), vec![None; table.rows]);
    };
    if let Column::Numbers(values) = column {
        let highest = values.iter().copied().filter(|v| v.is_finite()).fold(-1.0, f64::max);
        // Class numbers are places in the logits, so that they keep their numbers.
        if (0.0..1e6).contains(&highest) && values.iter().all(|v| v.is_nan() || v.fract() == 0.0) {
            let class = |&v: &f64| (v >= 0.0).then_some(v as usize);
            let names = (0..=highest as usize).map(|class| class.to_string()).collect();
            return (names, values.iter().map(class).collect());
        }
    }
    let (names, of) = indexed((0..table.rows).map(|row| match roles[row] {
        Label::Id => text(column, row),
        Label::Ood => String::new(),
    }));
    // Alphabetical, as class folders are; the empty name is none.
    let mut sorted: Vec<&String> = names.iter().filter(|name| !name.is_empty()).collect();
    sorted.sort();
    let place = |name: &String| sorted.binary_search(&name).ok();
    let places: Vec<Option<usize>> = names.iter().map(place).collect();
    let of = of.into_iter().map(|index| places[index]).collect();
    (sorted.into_iter().cloned().collect(), of)
}

fn duplicates(table: &Table) -> Vec<String> {
    let Some((name, Column::Texts(paths))) = table.named(&PATHS) else { return Vec::new() };
    let sets = table.named(&SETS).map(|(_, column)| column);
    let key = |row: usize| (&paths[row], sets.map(|column| text(column, row)));
    let distinct: std::collections::HashSet<_> = (0..table.rows).map(key).collect();
    match table.rows - distinct.len() {
        0 => Vec::new(),
        further => vec![format!("{further} rows repeat a `{name}` of their set; every row counts")],
    }
}

fn is_one_of(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn scores(
    table: &Table,
    choice: &Choice,
    notes: &mut Vec<String>,
) -> Result<Vec<(String, Vec<f64>)>, String> {
    let chosen: Vec<&(String, Column)> = match choice.scores.is_empty() {
        true => {
            let other = [
                &PATHS[..],
                &SETS[..],
                &ROLES[..],
                &OOD_FLAGS[..],
                &CLASSES[..],
                &PREDICTED[..],
                &LOGITS[..],
                &FEATURES[..],
                &NO_SCORES[..],
            ]
            .concat();
            let taken = |name: &str| is_one_of(name, &other);
            let is_number = |column: &Column| match column {
                Column::Numbers(_) => true,
                Column::Rows { width, .. } => *width == 1,
                Column::Texts(_) => false,
            };
            let free = table.columns.iter().filter(|(name, _)| !taken(name));
            let (chosen, unused): (Vec<_>, Vec<_>) =
                free.partition(|(_, column)| is_number(column));
            if !unused.is_empty() {
                let unused: Vec<&str> = unused.iter().map(|(name, _)| name.as_str()).collect();
                notes.push(format!("not used: {}", unused.join(", ")));
            }
            chosen
        }
        false => {
            let find = |wanted: &String| {
                table.columns.iter().find(|(name, _)| name == wanted).ok_or_else(|| {
                    format!("there is no column `{wanted}` in it; there are: {}", names(table))
                })
            };
            choice.scores.iter().map(find).collect::<Result<_, _>>()?
        }
    };
    let score = |(name, column): &(String, Column)| {
        let values: Vec<f64> = match column {
            Column::Numbers(values) => values.clone(),
            Column::Rows { width: 1, values } => values.iter().copied().map(f64::from).collect(),
            _ => return Err(format!("the column `{name}` is no number a row")),
        };
        match values.iter().position(|value| value.is_nan()) {
            None => Ok((name.clone(), values)),
            Some(row) => Err(format!(
                "row {} of `{name}` is no number; a score is wanted in every row (leave the row out, or \
                 name the columns of scores with --scores)",
                row + 1
            )),
        }
    };
    chosen.into_iter().map(score).collect()
}

fn matrix(table: &Table, known: &[&str]) -> Result<Option<(Vec<f32>, usize)>, String> {
    let Some((name, column)) = table.named(known) else { return Ok(None) };
    let Column::Rows { width, values } = column else {
        return Err(format!(
            "the column `{name}` has one value a row; logits and features have several (a list, a \
             matrix, or columns `{name}_0`, `{name}_1`, …)"
        ));
    };
    if *width == 0 {
        return Err(format!("the lists of `{name}` are empty"));
    }
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(Some((values.clone(), *width))),
        Some(at) => {
            Err(format!("value {} of `{name}` in row {} is not finite", at % width, at / width + 1))
        }
    }
}
