//! The plots there are, from numbers to marks: ROC curves, scores of sets, shares over a setting, maps.

use super::canvas::{Dashes, Stroke};
use super::chart::{
    Axis, BARE_MARGINS, Chart, Figure, Glyph, LegendKey, Mark, Ticks, WordSide, legend_width,
    round_ticks,
};
use super::palette::Color;

/// Bins of a histogram.
const BINS: usize = 60;
/// Share of the scores at either end that the axis of a histogram may leave out where one detector is
/// looked at after another; they are counted in the outermost bars.
const TAIL: f64 = 0.002;
/// Radius of a point of a map, of its stars, and of a line's points, in points.
const POINT: f32 = 2.6;
const STAR: f32 = 7.0;
const DOT: f32 = 4.0;

/// ROC curves, ID-positive, over the diagonal of chance.
pub fn roc(title: String, curves: impl IntoIterator<Item = Mark>) -> Chart {
    let chance = Stroke::solid(Color::Mark, 1.0).with_dashes(Dashes::Dashed);
    let diagonal = Mark::Line(vec![[0.0, 0.0], [1.0, 1.0]], chance);
    Chart {
        title,
        x: Axis::new("False positive rate: OOD images kept", 0.0, 1.0),
        y: Axis::new("True positive rate: ID images kept", 0.0, 1.0),
        marks: [diagonal].into_iter().chain(curves).collect(),
    }
}

/// How the line of a set looks: in-distribution ones share a colour, the others have one each, and
/// dashes tell apart what colours do not.
pub fn set_stroke(is_id: bool, at: usize) -> Stroke {
    match is_id {
        true => Stroke::solid(Color::Id, 1.6).with_dashes(Dashes::of_round(at)),
        false => Stroke::solid(Color::Series(at), 1.6).with_dashes(Dashes::of_round(at / 6)),
    }
}

/// Densities of sets' scores over each other, with λ; `None` without finite scores. Infinite ones
/// count but are not drawn.
pub fn densities(title: String, sets: &[(Stroke, &[f64])], lambda: Option<f64>) -> Option<Chart> {
    let all = sets.iter().flat_map(|(_, scores)| scores.iter().copied());
    let (low, high) = score_range(all, lambda, 0.0)?;
    let margin = ((high - low) * 0.03).max(1e-6);
    let (low, high) = (low - margin, high + margin);
    let width = (high - low) / BINS as f64;
    let (mut marks, mut tallest) = (Vec::new(), f64::MIN_POSITIVE);
    for (stroke, scores) in sets {
        // Shares of the whole set, so that sets of any size compare.
        let shares = Shares::of(scores, low, high);
        let steps = shares.bins.iter().enumerate().flat_map(|(bin, share)| {
            let (left, density) = (low + bin as f64 * width, share / width);
            [[left, density], [left + width, density]]
        });
        let steps: Vec<[f64; 2]> = steps.collect();
        tallest = steps.iter().map(|step| step[1]).fold(tallest, f64::max);
        marks.push(Mark::Area(steps.clone(), stroke.color));
        marks.push(Mark::Line(steps, *stroke));
    }
    if let Some(lambda) = lambda {
        marks.push(Mark::Threshold(lambda, format!("λ = {lambda:.3}")));
    }
    Some(Chart {
        title,
        x: Axis::new("Score, higher = more in-distribution", low, high),
        y: Axis::new("Density", 0.0, tallest * 1.06),
        marks,
    })
}

/// Shares of two sets' scores, in-distribution upwards, out-of-distribution downwards; apart from
/// them, at the left, the shares that have no score (−∞).
pub fn mirrored_histogram(id: &[f64], ood: &[f64], lambda: Option<f64>) -> Chart {
    let all = id.iter().chain(ood).copied();
    let (low, high) = score_range(all, lambda, TAIL).unwrap_or((0.0, 1.0));
    let (up, down) = (Shares::of(id, low, high), Shares::of(ood, low, high));
    let tallest = up.bins.iter().chain(&down.bins).fold(1e-9f64, |a, b| a.max(*b));
    let step = (high - low) / BINS as f64;
    let bars = |shares: &Shares, sign: f64| -> Vec<[[f64; 2]; 2]> {
        let bar = |(bin, share): (usize, &f64)| {
            let left = low + step * bin as f64;
            [[left, 0.0], [left + 0.9 * step, sign * share]]
        };
        shares.bins.iter().enumerate().filter(|(_, share)| **share > 0.0).map(bar).collect()
    };
    let mut sides = [bars(&up, 1.0), bars(&down, -1.0)];
    let mut ticks = round_ticks(low, high, 5.0);
    let (mut words, mut begin) = (Vec::new(), low - step);
    if up.without + down.without > 0.0 {
        begin = low - 10.0 * step;
        let at = low - 6.5 * step;
        ticks.push((at, "no score".into()));
        for (side, share, sign) in [(0, up.without, 1.0), (1, down.without, -1.0)] {
            // On a scale of their own: all images would leave just enough room for the word.
            let end = sign * share * 0.85 * tallest;
            sides[side].push([[at - 1.5 * step, 0.0], [at + 1.5 * step, end]]);
            let place = if side == 0 { WordSide::Above } else { WordSide::Below };
            words.push(Mark::Word(
                [at, end],
                place,
                format!("{:.0} %", 100.0 * share),
                Color::Weak,
            ));
        }
    }
    let [up, down] = sides;
    let zero = Mark::Line(vec![[begin, 0.0], [high + step, 0.0]], Stroke::solid(Color::Weak, 1.0));
    let mut marks = vec![Mark::Bars(up, Color::Id), Mark::Bars(down, Color::Ood), zero];
    marks.extend(words);
    marks.extend(lambda.map(|lambda| Mark::Threshold(lambda, "λ".into())));
    // Each where its bars are lowest as a rule.
    for (x, y, word, color) in [(low, 0.92, "▲ ID", Color::Id), (high, -0.92, "▼ OOD", Color::Ood)]
    {
        marks.push(Mark::Word([x, y * tallest], WordSide::Beside, word.into(), color));
    }
    let x = Axis::new("Score, higher = more in-distribution", begin, high + step);
    let y = Axis::new("Share of each set", -1.02 * tallest, 1.02 * tallest);
    Chart {
        title: String::new(),
        x: Axis { ticks: Ticks::At(ticks), ..x },
        y: Axis { ticks: Ticks::At(Vec::new()), ..y },
        marks,
    }
}

/// A set's scores in bins.
struct Shares {
    /// Share of all in each bin; what lies beyond is in the outermost ones.
    bins: Vec<f64>,
    /// Share without a score.
    without: f64,
}

impl Shares {
    fn of(scores: &[f64], low: f64, high: f64) -> Self {
        let one = 1.0 / scores.len().max(1) as f64;
        let mut shares = Self { bins: vec![0.0; BINS], without: 0.0 };
        for score in scores {
            if score.is_finite() {
                let place = (score - low) / (high - low) * BINS as f64;
                shares.bins[(place.max(0.0) as usize).min(BINS - 1)] += one;
            } else {
                shares.without += one;
            }
        }
        shares
    }
}

/// The range of the finite scores without a share of the outermost ones, and with λ in it.
fn score_range(
    scores: impl Iterator<Item = f64>,
    lambda: Option<f64>,
    tail: f64,
) -> Option<(f64, f64)> {
    let mut scores: Vec<f64> = scores.filter(|score| score.is_finite()).collect();
    scores.sort_by(f64::total_cmp);
    let last = scores.len().checked_sub(1)?;
    let tail = (tail * last as f64) as usize;
    let (mut low, mut high) = (scores[tail], scores[last - tail]);
    if let Some(lambda) = lambda.filter(|lambda| lambda.is_finite()) {
        (low, high) = (low.min(lambda), high.max(lambda));
    }
    match high - low > 1e-12 * high.abs().max(low.abs()).max(1e-300) {
        true => Some((low, high)),
        false => Some((low - 0.5, high + 0.5)),
    }
}

/// One line over a setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingLine {
    /// Points, the setting and a share of 1, by ascending setting.
    pub points: Vec<[f64; 2]>,
    /// A point beside the axis, apart from the line.
    pub apart: Option<f64>,
}

/// Shares over a setting, in percent, on an axis that fits these lines. `settings` are the values that
/// have ticks; `apart` names what is no value of the setting.
pub fn shares_over(
    (label, settings): (&str, &[f64]),
    apart: Option<&str>,
    share: &str,
    lines: &[SettingLine],
) -> Chart {
    let low = settings.iter().copied().fold(f64::INFINITY, f64::min);
    let high = settings.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
    let room = 0.06 * (high - low);
    let beside = high + 4.0 * room;
    let mut ticks: Vec<(f64, String)> =
        settings.iter().map(|x| (*x, format!("{}", (x * 1e4).round() / 1e4))).collect();
    ticks.extend(apart.map(|name| (beside, name.to_owned())));
    let mut marks = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let (color, glyph) = (Color::Series(at), Glyph::of_line(at));
        let points: Vec<[f64; 2]> = line.points.iter().map(|[x, y]| [*x, 100.0 * y]).collect();
        let apart = line.apart.map(|share| [beside, 100.0 * share]);
        marks.push(Mark::Line(points.clone(), Stroke::solid(color, 2.0)));
        marks.extend(points.into_iter().chain(apart).map(|at| Mark::Point(at, glyph, color, DOT)));
    }
    let end = if apart.is_some() { beside + 2.0 * room } else { high + room };
    let (bottom, top) = percent_range(lines);
    let x = Axis { ticks: Ticks::At(ticks), ..Axis::new(label, low - room, end) };
    Chart { title: String::new(), x, y: Axis::new(share, bottom, top), marks }
}

/// A little more than the lines span, within 0 to 100.
fn percent_range(lines: &[SettingLine]) -> (f64, f64) {
    let shares = lines.iter().flat_map(|line| line.points.iter().map(|at| at[1]).chain(line.apart));
    let (low, high) =
        shares.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
    if !(low.is_finite() && high.is_finite()) {
        return (0.0, 100.0);
    }
    let room = (0.1 * (high - low)).max(0.01);
    (100.0 * (low - room).max(0.0), 100.0 * (high + room).min(1.0))
}

/// One space of a map of features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapSpace {
    /// What stands above it.
    pub title: String,
    /// The points; those that are not finite are left out.
    pub points: Vec<([f32; 2], Glyph, Color)>,
    /// Names and their places.
    pub words: Vec<([f32; 2], String)>,
}

/// Maps of features, side by side, both axes of each on one scale.
pub fn maps(title: &str, spaces: &[MapSpace], legend: Vec<LegendKey>) -> Figure {
    let charts: Vec<Chart> = spaces.iter().map(map).collect();
    // Plots without ticks leave these margins: what remains of each is a square.
    let (side, [across, upright]) = (440.0, BARE_MARGINS);
    let width = charts.len() as f32 * (side + across) + legend_width(&legend);
    Figure { title: title.to_owned(), size: [width, side + upright], charts, legend }
}

fn map(space: &MapSpace) -> Chart {
    let finite = |at: &[f32; 2]| at.iter().all(|side| side.is_finite());
    let places = || space.points.iter().map(|point| point.0).filter(finite);
    let bound = |axis: usize, pick: fn(f32, f32) -> f32, from: f32| {
        f64::from(places().map(|at| at[axis]).fold(from, pick))
    };
    let span =
        |axis| (bound(axis, f32::min, f32::INFINITY), bound(axis, f32::max, f32::NEG_INFINITY));
    let (x, y) = (span(0), span(1));
    // A square, so that distances compare in all directions.
    let half = ((x.1 - x.0).max(y.1 - y.0) * 0.53).max(1e-6);
    let axis = |(low, high): (f64, f64)| {
        let middle = if (low + high).is_finite() { (low + high) / 2.0 } else { 0.0 };
        let half = if half.is_finite() { half } else { 1.0 };
        Axis { ticks: Ticks::None, ..Axis::new("", middle - half, middle + half) }
    };
    let wide = |at: [f32; 2]| at.map(f64::from);
    let is_star = |glyph: Glyph| glyph == Glyph::Star;
    let radius = |glyph| if is_star(glyph) { STAR } else { POINT };
    let mut points: Vec<_> = space.points.iter().filter(|point| finite(&point.0)).collect();
    // Class centers lie above images.
    points.sort_by_key(|(_, glyph, _)| is_star(*glyph));
    let point = |(at, glyph, color): &([f32; 2], _, _)| {
        Mark::Point(wide(*at), *glyph, *color, radius(*glyph))
    };
    let mut marks: Vec<Mark> = points.into_iter().map(point).collect();
    let words = space.words.iter().filter(|word| finite(&word.0));
    marks.extend(
        words.map(|(at, word)| Mark::Word(wide(*at), WordSide::Beside, word.clone(), Color::Ink)),
    );
    Chart { title: space.title.clone(), x: axis(x), y: axis(y), marks }
}
