//! Several files as one table: side by side where they are of the same images, else below each other.

use std::collections::{BTreeSet, HashMap};

use super::columns::{PATHS, SETS};
use super::{Column, ResultsError, Table, arrow_files};

/// Makes one table of several, and sentences on what was left out.
///
/// Tables of the same images, by path, become one with the columns of all; a column whose name stands in
/// several is called after its file, too. Others stand below each other; each is a set of its file's name
/// unless it names sets, and columns that are not in all of them are left out.
///
/// # Errors
/// There is no table, or a column is of different kinds.
pub fn join(tables: Vec<Table>) -> Result<(Table, Vec<String>), ResultsError> {
    let mut tables = tables.into_iter();
    let Some(first) = tables.next() else {
        return Err(ResultsError::Choice("there is no table".into()));
    };
    let rest: Vec<Table> = tables.collect();
    if rest.is_empty() {
        return Ok((first, Vec::new()));
    }
    match rest.iter().map(|table| order(&first, table)).collect::<Option<Vec<_>>>() {
        Some(orders) => side_by_side(first, rest, &orders),
        None => below(std::iter::once(first).chain(rest).collect()),
    }
}

fn stem(table: &Table) -> String {
    table.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// For each row of the first table the row of the other with the same path, if both have the same paths,
/// each once.
fn order(first: &Table, other: &Table) -> Option<Vec<usize>> {
    let paths = |table: &Table| match table.named(&PATHS)?.1 {
        Column::Texts(paths) => Some(paths.clone()),
        _ => None,
    };
    let (first, other) = (paths(first)?, paths(other)?);
    let places: HashMap<&String, usize> =
        other.iter().enumerate().map(|(row, path)| (path, row)).collect();
    let distinct: BTreeSet<&String> = first.iter().collect();
    let each_once = places.len() == other.len() && distinct.len() == first.len();
    (each_once && first.len() == other.len())
        .then(|| first.iter().map(|path| places.get(path).copied()).collect())?
}

fn side_by_side(
    first: Table,
    rest: Vec<Table>,
    orders: &[Vec<usize>],
) -> Result<(Table, Vec<String>), ResultsError> {
    let mut table = first;
    let mut notes = Vec::new();
    let of_all = [&PATHS[..], &SETS[..]].concat();
    for (other, order) in rest.into_iter().zip(orders) {
        let stem = stem(&other);
        for (name, column) in other.columns {
            let column = reordered(column, order);
            let same = table.columns.iter().find(|(own, _)| own.eq_ignore_ascii_case(&name));
            match same {
                // Most of what stands twice is the same: paths, sets, labels.
                Some((_, own)) if equal(own, &column) => {}
                Some(_) if of_all.iter().any(|known| known.eq_ignore_ascii_case(&name)) => {
                    notes.push(format!("`{name}` is taken from the first table, not from {stem}"));
                }
                Some(_) => table.columns.push((format!("{stem}: {name}"), column)),
                None => table.columns.push((name, column)),
            }
        }
    }
    Ok((Table::new(&table.path.clone(), table.columns)?, notes))
}

/// Whether two columns say the same, cells without a value among them.
fn equal(a: &Column, b: &Column) -> bool {
    match (a, b) {
        (Column::Numbers(a), Column::Numbers(b)) => {
            a.iter().zip(b).all(|(a, b)| a == b || a.is_nan() && b.is_nan())
        }
        (a, b) => a == b,
    }
}

fn reordered(column: Column, order: &[usize]) -> Column {
    match column {
        Column::Numbers(of) => Column::Numbers(order.iter().map(|&row| of[row]).collect()),
        Column::Texts(of) => Column::Texts(order.iter().map(|&row| of[row].clone()).collect()),
        Column::Rows { width, values } => {
            let row = |&row: &usize| values[row * width..][..width].iter().copied();
            Column::Rows { width, values: order.iter().flat_map(row).collect() }
        }
    }
}

fn below(tables: Vec<Table>) -> Result<(Table, Vec<String>), ResultsError> {
    let tables: Vec<Table> = tables.into_iter().map(with_set).collect();
    let names: BTreeSet<String> =
        tables.iter().flat_map(|table| &table.columns).map(|(name, _)| name.clone()).collect();
    let in_all =
        |name: &String| tables.iter().all(|table| table.columns.iter().any(|(own, _)| own == name));
    let (_, left_out): (Vec<String>, Vec<String>) = names.into_iter().partition(in_all);
    let notes = match left_out.is_empty() {
        true => Vec::new(),
        false => vec![format!("not in all tables, and left out: {}", left_out.join(", "))],
    };
    let mut joined: Option<Table> = None;
    for mut table in tables {
        table.columns.retain(|(name, _)| !left_out.contains(name));
        let Some(all) = &mut joined else {
            joined = Some(table);
            continue;
        };
        for (name, column) in &mut all.columns {
            let Some(at) = table.columns.iter().position(|(own, _)| own == name) else { continue };
            let further = table.columns.swap_remove(at).1;
            arrow_files::append(column, further)
                .map_err(|reason| ResultsError::table(&table.path, format!("`{name}` {reason}")))?;
        }
        all.rows += table.rows;
    }
    joined.map(|table| (table, notes)).ok_or(ResultsError::Choice("there is no table".into()))
}

/// A table that names no sets is one set, called like its file.
fn with_set(mut table: Table) -> Table {
    if table.named(&SETS).is_none() {
        let names = vec![stem(&table); table.rows];
        table.columns.push((SETS[0].to_owned(), Column::Texts(names)));
    }
    table
}
