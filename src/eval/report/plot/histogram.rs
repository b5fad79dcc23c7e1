//! Histograms of scores, in-distribution upwards, the others downwards.

use std::fmt::Write as _;

use super::{Frame, layer, svg};

/// Bars of a histogram.
const BINS: usize = 48;
/// Share of the scores at either end that the axis of a histogram may leave out; they are counted in
/// the outermost bars.
const TAIL: f64 = 0.002;

/// One detector's scores of two sets, for a histogram; −∞ for images that have none.
pub struct Histogram<'a> {
    /// The detector.
    pub detector: usize,
    /// Scores of in-distribution images.
    pub id: &'a [f64],
    /// Scores of the others.
    pub ood: &'a [f64],
    /// The bundle's threshold.
    pub lambda: Option<f32>,
}

/// Histograms of several detectors' scores on one set, the chosen one's on show: in-distribution
/// upwards, the others downwards, each as shares of its own set.
pub fn histograms(label: &str, histograms: &[Histogram], chosen: usize) -> String {
    let mut body = String::new();
    for histogram in histograms {
        body.push_str(&layer(histogram.detector, chosen, &one_histogram(histogram)));
    }
    svg(560.0, 356.0, label, &body)
}

fn one_histogram(histogram: &Histogram) -> String {
    let Histogram { id, ood, lambda, .. } = histogram;
    let (low, high) = score_range(id, ood, *lambda);
    let (up, down) = (binned(id, low, high), binned(ood, low, high));
    let tallest = up.bins.iter().chain(&down.bins).fold(1e-9f64, |a, b| a.max(*b));
    let rejected = up.hard_rejected.max(down.hard_rejected) > 0.0;
    // The bars of images without a score stand apart, at the left.
    let left = if rejected { 116.0 } else { 46.0 };
    let frame = Frame {
        left,
        top: 10.0,
        width: 546.0 - left,
        height: 300.0,
        x: (low, high),
        y: (-tallest, tallest),
    };
    let ticks: Vec<(f64, String)> = round_numbers(low, high)
        .into_iter()
        .map(|value| (value, short(value, high - low)))
        .collect();
    let mut body = frame.axes(&ticks, &[(0.0, String::new())]);
    let step = frame.width / BINS as f64;
    let mut bar = |class: &str, x: f64, width: f64, share: f64| {
        let (from, to) = match class {
            "id" => (frame.y(share), frame.y(0.0)),
            _ => (frame.y(0.0), frame.y(-share)),
        };
        if to - from > 0.05 {
            write!(
                body,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{from:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/>",
                to - from
            )
            .ok();
        }
    };
    for (index, (id, ood)) in up.bins.iter().zip(&down.bins).enumerate() {
        let x = frame.left + step * index as f64;
        bar("id", x, step - 0.8, *id);
        bar("ood", x, step - 0.8, *ood);
    }
    if rejected {
        // A bar of its own scale: all images would leave just enough room for the label.
        let tallest = 0.88 * tallest;
        bar("id", 48.0, 22.0, up.hard_rejected * tallest);
        bar("ood", 48.0, 22.0, down.hard_rejected * tallest);
        write!(
            body,
            "<text class=\"tick\" x=\"59\" y=\"326\" text-anchor=\"middle\">no ID tag</text>\
             <text class=\"tick\" x=\"59\" y=\"{:.1}\" text-anchor=\"middle\">{:.0} %</text>\
             <text class=\"tick\" x=\"59\" y=\"{:.1}\" text-anchor=\"middle\">{:.0} %</text>",
            frame.y(up.hard_rejected * tallest) - 5.0,
            100.0 * up.hard_rejected,
            frame.y(-down.hard_rejected * tallest) + 14.0,
            100.0 * down.hard_rejected
        )
        .ok();
    }
    if let Some(lambda) = lambda.map(f64::from).filter(|l| (low..=high).contains(l)) {
        let at = frame.x(lambda);
        write!(
            body,
            "<path class=\"lambda\" d=\"M{at:.1} 10V310\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"20\">λ</text>",
            at + 4.0
        )
        .ok();
    }
    body.push_str(
        "<text class=\"label id-text\" x=\"540\" y=\"24\" text-anchor=\"end\">▲ ID</text>",
    );
    body.push_str(
        "<text class=\"label ood-text\" x=\"540\" y=\"302\" text-anchor=\"end\">▼ OOD</text>",
    );
    body.push_str(&frame.x_title("score (higher = more in-distribution)"));
    body
}

struct Binned {
    /// Share of all in each bar.
    bins: Vec<f64>,
    /// Share without a score.
    hard_rejected: f64,
}

fn binned(scores: &[f64], low: f64, high: f64) -> Binned {
    let mut bins = vec![0.0; BINS];
    let one = 1.0 / scores.len().max(1) as f64;
    let mut hard_rejected = 0.0;
    for &score in scores {
        if score == f64::NEG_INFINITY {
            hard_rejected += one;
            continue;
        }
        let place = (score - low) / (high - low) * BINS as f64;
        bins[(place.max(0.0) as usize).min(BINS - 1)] += one;
    }
    Binned { bins, hard_rejected }
}

/// The range of the scores without the outermost ones, and with λ in it.
fn score_range(id: &[f64], ood: &[f64], lambda: Option<f32>) -> (f64, f64) {
    let mut scores: Vec<f64> = id.iter().chain(ood).copied().filter(|s| s.is_finite()).collect();
    scores.sort_by(f64::total_cmp);
    let Some(last) = scores.len().checked_sub(1) else { return (0.0, 1.0) };
    let tail = (TAIL * last as f64) as usize;
    let (mut low, mut high) = (scores[tail], scores[last - tail]);
    if let Some(lambda) = lambda.map(f64::from) {
        (low, high) = (low.min(lambda), high.max(lambda));
    }
    match high - low > 1e-12 * high.abs().max(low.abs()).max(1e-300) {
        true => (low, high),
        false => (low - 0.5, high + 0.5),
    }
}

/// Some four round numbers within a range.
fn round_numbers(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 4.0;
    let decade = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * decade);
    let step = step.into_iter().find(|step| *step >= rough).unwrap_or(10.0 * decade);
    let first = (low / step).ceil();
    (0..6).map(|i| (first + f64::from(i)) * step).filter(|value| *value <= high).collect()
}

/// A number with as many digits as tell the ticks apart.
fn short(value: f64, span: f64) -> String {
    let magnitude = span.abs().log10().floor();
    if !(-5.0..6.0).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let digits = (2.0 - magnitude).clamp(0.0, 8.0) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_is_in_some_bar() {
        let scores = [f64::NEG_INFINITY, -5.0, 0.0, 0.5, 1.0, 9.0];
        let binned = binned(&scores, 0.0, 1.0);
        assert!((binned.hard_rejected - 1.0 / 6.0).abs() < 1e-12);
        assert!((binned.bins.iter().sum::<f64>() - 5.0 / 6.0).abs() < 1e-12);
        assert!((binned.bins[0] - 2.0 / 6.0).abs() < 1e-12);
        assert!((binned.bins[BINS - 1] - 2.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn constant_and_missing_scores_have_a_range() {
        assert_eq!(score_range(&[2.0, 2.0], &[2.0], None), (1.5, 2.5));
        assert_eq!(score_range(&[f64::NEG_INFINITY], &[f64::NEG_INFINITY], None), (0.0, 1.0));
        assert_eq!(score_range(&[0.0, 1.0], &[0.5], Some(2.0)), (0.0, 2.0));
    }

    #[test]
    fn ticks_have_the_digits_that_tell_them_apart() {
        assert_eq!(short(0.123456, 0.5), "0.123");
        assert_eq!(short(123.456, 400.0), "123");
        assert_eq!(short(1e30, 1e30), "1.00e30");
        assert_eq!(round_numbers(-0.1, 1.1), [0.0, 0.5, 1.0]);
        assert_eq!(round_numbers(4.28, 6.6), [5.0, 6.0]);
    }
}
