//! What is drawn, read back from the SVG.

use super::canvas::{Dashes, Stroke};
use super::chart::{Axis, Chart, Figure, Glyph, LegendKey, LegendSample, Mark, round_ticks};
use super::palette::{Color, DARK, LIGHT};
use super::plots::{MapSpace, SettingLine, densities, maps, mirrored_histogram, shares_over};
use super::{Svg, escape};

fn figure(charts: Vec<Chart>) -> Figure {
    Figure { title: "<t>".into(), size: [300.0, 200.0], charts, legend: Vec::new() }
}

fn svg(figure: &Figure) -> String {
    let mut svg = Svg::file(figure.size, &figure.title);
    figure.draw(&mut svg);
    svg.finish()
}

fn page(figure: &Figure) -> String {
    let mut svg = Svg::in_page(figure.size, &figure.title);
    figure.draw(&mut svg);
    svg.finish()
}

#[test]
fn text_is_safe_in_attributes_and_between_tags() {
    assert_eq!(escape("a<b & \"c\" 'd'>"), "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;");
    assert!(page(&figure(Vec::new())).contains("aria-label=\"&lt;t&gt;\""));
}

#[test]
fn densities_hold_all_that_is_finite() {
    let full: Vec<f64> = (0..50).map(|at| f64::from(at) / 49.0).collect();
    let rejected = [full.clone(), vec![f64::NEG_INFINITY]].concat();
    let stroke = Stroke::solid(Color::Id, 1.0);
    let sets: [(Stroke, &[f64]); 2] = [(stroke, &full), (stroke, &rejected)];
    let chart = densities("scores".into(), &sets, Some(0.5)).unwrap();
    let width = (chart.x.high - chart.x.low) / 60.0;
    let area = |mark: &Mark| match mark {
        Mark::Area(line, _) => Some(line.iter().map(|at| at[1]).sum::<f64>() / 2.0 * width),
        _ => None,
    };
    let shares: Vec<f64> = chart.marks.iter().filter_map(area).collect();
    let expected = [1.0, 50.0 / 51.0];
    assert!(shares.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{shares:?}");
    assert!(svg(&figure(vec![chart])).contains("λ = 0.500"));
    assert!(densities("none".into(), &[], None).is_none());
}

/// The heights of all bars of a colour.
fn bars(chart: &Chart, color: Color) -> Vec<f64> {
    let of = |mark: &Mark| match mark {
        Mark::Bars(bars, of) if *of == color => Some(bars.iter().map(|bar| bar[1][1]).collect()),
        _ => None,
    };
    chart.marks.iter().filter_map(of).next().unwrap_or_default()
}

#[test]
fn mirrored_histograms_hold_every_score() {
    let id = [f64::NEG_INFINITY, 0.0, 0.5, 1.0];
    let chart = mirrored_histogram(&id, &[0.0, 0.0], Some(0.25));
    // The last bar is that of what has no score.
    let up = bars(&chart, Color::Id);
    assert_eq!(up.len(), 4);
    assert!((up[..3].iter().sum::<f64>() - 0.75).abs() < 1e-12, "{up:?}");
    assert_eq!(bars(&chart, Color::Ood)[0], -1.0);
    let text = svg(&figure(vec![chart]));
    assert!(text.contains(">25 %</text>") && text.contains(">no score</text>"), "{text}");
    // Without scores, or with equal ones, there still is an axis.
    for scores in [[f64::NEG_INFINITY; 2], [2.0; 2]] {
        let chart = mirrored_histogram(&scores, &scores, None);
        assert!(chart.x.low < chart.x.high && chart.y.low < chart.y.high);
    }
}

#[test]
fn shares_fit_their_axis() {
    let line = SettingLine { points: vec![[0.0, 0.7], [0.5, 0.9]], apart: Some(0.8) };
    let chart = shares_over(("τ", &[0.0, 0.5]), Some("whole image"), "AUROC, %", &[line]);
    assert!((chart.y.low - 68.0).abs() < 1e-9 && (chart.y.high - 92.0).abs() < 1e-9);
    let text = svg(&figure(vec![chart]));
    assert!(text.contains(">0.5</text>") && text.contains(">whole image</text>"));
    assert_eq!(text.matches("<circle").count(), 3, "two points and the one apart");
}

#[test]
fn maps_keep_their_proportions_and_leave_out_what_is_nowhere() {
    let point = |at| (at, Glyph::Circle, Color::Fixed([1, 2, 3]));
    let space = MapSpace {
        title: "Before".into(),
        points: vec![point([0.0, 0.0]), point([4.0, 1.0]), point([f32::NAN, 0.0])],
        words: vec![([4.0, 1.0], "cat".into())],
    };
    let sample = LegendSample::Point(Glyph::Circle, Color::Fixed([1, 2, 3]));
    let key = LegendKey { label: "cat (2)".into(), sample };
    let figure = maps("t-SNE", &[space, MapSpace::default()], vec![key]);
    let Chart { x, y, .. } = &figure.charts[0];
    assert!((x.high - x.low - (y.high - y.low)).abs() < 1e-9);
    let text = svg(&figure);
    assert_eq!(text.matches("<circle").count(), 3, "two points and the legend's");
    assert!(text.contains(">cat</text>") && !text.contains("NaN") && !text.contains("inf"));
}

#[test]
fn an_axis_without_extent_does_no_harm() {
    let chart = Chart {
        title: "nothing".into(),
        x: Axis::new("x", 1.0, 1.0),
        y: Axis::new("y", 0.0, f64::INFINITY),
        marks: vec![Mark::Line(vec![[1.0, 1.0]], Stroke::solid(Color::Ink, 1.0))],
    };
    assert!(svg(&figure(vec![chart])).ends_with("</svg>\n"));
}

#[test]
fn ticks_have_the_digits_that_tell_them_apart() {
    let says = |low, high, wanted| -> Vec<String> {
        round_ticks(low, high, wanted).into_iter().map(|(_, says)| says).collect()
    };
    assert_eq!(says(-0.1, 1.1, 3.0), ["0.0", "0.5", "1.0"]);
    assert_eq!(says(4.28, 6.6, 3.0), ["5", "6"]);
    assert_eq!(says(0.0, 4e7, 4.0), ["0.0e0", "1.0e7", "2.0e7", "3.0e7", "4.0e7"]);
    assert_eq!(says(0.0, 0.02, 2.0), ["0.00", "0.01", "0.02"]);
}

#[test]
fn a_page_names_colors_and_shows_one_layer() {
    let line = |color| Mark::Line(vec![[0.0, 0.0], [1.0, 1.0]], Stroke::solid(color, 1.0));
    let choice = |at, chosen| Mark::Choice(at, chosen, Box::new(line(Color::Accent)));
    let marks = vec![line(Color::Series(7)), choice(3, false), choice(4, true)];
    let axis = || Axis::new("", 0.0, 1.0);
    let chart = Chart { title: String::new(), x: axis(), y: axis(), marks };
    let text = page(&figure(vec![chart.clone()]));
    assert!(
        text.contains("class=\"layer\" data-d=\"3\"") && text.contains("\"layer on\" data-d=\"4\"")
    );
    assert!(text.contains("stroke=\"var(--s1)\"") && !text.contains('#'), "{text}");
    assert!(DARK.css_variables().contains("--s1: #b58cf5;"));
    // A file has values, and everything is on show.
    let text = svg(&figure(vec![chart]));
    assert!(text.contains("stroke=\"#6a3fc0\"") && !text.contains("display"));
    assert_eq!(LIGHT.series.len(), DARK.series.len());
}

#[test]
fn lines_of_one_color_differ_in_their_dashes() {
    use super::plots::set_stroke;
    assert_eq!(set_stroke(true, 0).dashes, Dashes::Solid);
    assert_ne!(set_stroke(true, 1), set_stroke(true, 0));
    assert_ne!(set_stroke(false, 6), set_stroke(false, 0));
}
