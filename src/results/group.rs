//! `logit_0`, `logit_1`, … as one column: how tables without lists write what has several values a row.

use std::collections::BTreeMap;

use super::Column;

/// What such columns are called, before the number.
const STEMS: [&str; 8] =
    ["logit", "logits", "feature", "features", "feat", "feats", "embedding", "embeddings"];

/// The stem and the number of `logit_3`, `feature.0`, `feat12`.
fn parts(name: &str) -> Option<(String, usize)> {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let number = name[stem.len()..].parse().ok()?;
    let stem = stem.trim_end_matches(['_', '.', '-', ' ']).to_ascii_lowercase();
    STEMS.contains(&stem.as_str()).then_some((stem, number))
}

/// Puts numbered columns together in the order of their numbers, which count from 0 or 1, at the place of
/// the first of them.
///
/// # Errors
/// A number is missing or stands twice, or such a column holds text.
pub(super) fn grouped(columns: Vec<(String, Column)>) -> Result<Vec<(String, Column)>, String> {
    let mut groups: BTreeMap<String, BTreeMap<usize, Vec<f64>>> = BTreeMap::new();
    let mut kept = Vec::new();
    for (name, column) in columns {
        match (parts(&name), column) {
            (None, column) => kept.push((name, Some(column))),
            (Some(_), Column::Texts(_)) => {
                return Err(format!("the column `{name}` holds cells that are not numbers"));
            }
            (Some(_), column @ Column::Rows { .. }) => kept.push((name, Some(column))),
            (Some((stem, number)), Column::Numbers(values)) => {
                let group = groups.entry(stem.clone()).or_default();
                if group.is_empty() {
                    kept.push((stem, None));
                }
                if group.insert(number, values).is_some() {
                    return Err(format!("two columns are number {number} of those like `{name}`"));
                }
            }
        }
    }
    let whole = |(name, column): (String, Option<Column>)| match (column, groups.get(&name)) {
        (Some(column), _) => Ok((name, column)),
        (None, Some(group)) => rows(&name, group).map(|column| (name, column)),
        (None, None) => Err(format!("there is nothing in `{name}`")),
    };
    kept.into_iter().map(whole).collect()
}

fn rows(name: &str, group: &BTreeMap<usize, Vec<f64>>) -> Result<Column, String> {
    let first = group.keys().next().copied().unwrap_or_default().min(1);
    let missing = (first..).zip(group.keys()).find(|(wanted, found)| wanted != *found);
    if let Some((wanted, _)) = missing {
        return Err(format!("of the columns `{name}_…`, number {wanted} is missing"));
    }
    let columns: Vec<&Vec<f64>> = group.values().collect();
    let n = columns.first().map_or(0, |column| column.len());
    let values = (0..n).flat_map(|row| columns.iter().map(move |column| column[row] as f32));
    Ok(Column::Rows { width: columns.len(), values: values.collect() })
}
