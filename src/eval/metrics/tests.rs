//! Properties of the metrics; `tests/it/metrics.rs` compares the numbers with scikit-learn's.

use proptest::prelude::*;

use super::*;

/// Few distinct values, so that ties within and between the sets are common, and both infinities.
fn scores() -> impl Strategy<Value = Vec<f64>> {
    let score = prop_oneof![
        8 => (-6i32..=6).prop_map(|step| f64::from(step) / 2.0),
        4 => -3.0..3.0f64,
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ];
    prop::collection::vec(score, 1..40)
}

fn ranked(id: &[f64], ood: &[f64]) -> RankedScores {
    RankedScores::from_sets(id.iter().copied(), ood.iter().copied()).unwrap()
}

fn negated(scores: &[f64]) -> Vec<f64> {
    scores.iter().map(|score| -score).collect()
}

fn rate(scores: &[f64], accepted: impl Fn(f64) -> bool) -> f64 {
    scores.iter().filter(|&&score| accepted(score)).count() as f64 / scores.len() as f64
}

proptest! {
    #[test]
    fn auroc_is_the_share_of_pairs_in_order(id in scores(), ood in scores()) {
        let pairs = id.iter().flat_map(|a| ood.iter().map(move |b| (a, b)));
        let won: f64 = pairs
            .map(|(a, b)| if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 })
            .sum();
        let share = won / (id.len() * ood.len()) as f64;
        prop_assert!((ranked(&id, &ood).metrics().auroc - share).abs() < 1e-12);
    }

    #[test]
    fn swapping_the_sets_and_the_sign_swaps_the_conventions(id in scores(), ood in scores()) {
        let straight = ranked(&id, &ood).metrics();
        let swapped = ranked(&negated(&ood), &negated(&id)).metrics();
        prop_assert_eq!(straight.auroc, swapped.auroc);
        prop_assert_eq!(straight.fpr95, swapped.fpr95_ood_positive);
        prop_assert_eq!(straight.fpr95_interpolated, swapped.fpr95_ood_positive_interpolated);
        prop_assert_eq!(straight.average_precision_id, swapped.average_precision_ood);
        prop_assert_eq!(straight.aupr_in, swapped.aupr_out);
    }

    #[test]
    fn monotone_maps_change_nothing(id in scores(), ood in scores()) {
        let steeper = |scores: &[f64]| scores.iter().map(|s| 3.0 * s + s.powi(3)).collect::<Vec<_>>();
        prop_assert_eq!(
            ranked(&id, &ood).metrics(),
            ranked(&steeper(&id), &steeper(&ood)).metrics()
        );
    }

    #[test]
    fn roc_rises_from_corner_to_corner(id in scores(), ood in scores(), swap in any::<bool>()) {
        let convention = if swap { Convention::OodPositive } else { Convention::IdPositive };
        let ranked = ranked(&id, &ood);
        let roc = ranked.roc(convention);
        let points = roc.points();
        prop_assert_eq!(points.len(), ranked.distinct_scores().len() + 1);
        let ends = [points[0], points[points.len() - 1]].map(|point| (point.fpr, point.tpr));
        prop_assert_eq!(ends, [(0.0, 0.0), (1.0, 1.0)]);
        for pair in points.windows(2) {
            prop_assert!(pair[0].fpr <= pair[1].fpr && pair[0].tpr <= pair[1].tpr);
            prop_assert!(pair[0].fpr + pair[0].tpr < pair[1].fpr + pair[1].tpr);
        }
        let area: f64 = points
            .windows(2)
            .map(|pair| (pair[1].fpr - pair[0].fpr) * (pair[0].tpr + pair[1].tpr) / 2.0)
            .sum();
        prop_assert!((area - ranked.metrics().auroc).abs() < 1e-12);
    }

    #[test]
    fn fpr95_is_the_first_vertex_at_95_percent(id in scores(), ood in scores()) {
        let ranked = ranked(&id, &ood);
        let metrics = ranked.metrics();
        for (convention, vertex, interpolated) in [
            (Convention::IdPositive, metrics.fpr95, metrics.fpr95_interpolated),
            (
                Convention::OodPositive,
                metrics.fpr95_ood_positive,
                metrics.fpr95_ood_positive_interpolated,
            ),
        ] {
            let roc = ranked.roc(convention);
            let at = roc.points().iter().position(|point| point.tpr >= 0.95).unwrap();
            prop_assert_eq!(vertex, roc.points()[at].fpr);
            prop_assert!(interpolated <= vertex + 1e-12);
            prop_assert!(interpolated >= roc.points()[at - 1].fpr - 1e-12);
        }
    }

    #[test]
    fn counts_are_those_of_the_raw_scores(
        id in scores(),
        ood in scores(),
        lambda in prop_oneof![-4.0..4.0f64, Just(0.5), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ) {
        let confusion = ranked(&id, &ood).counts_at(lambda);
        prop_assert_eq!(confusion.id_kept_rate(), rate(&id, |s| s >= lambda));
        prop_assert_eq!(confusion.id_lost_rate(), rate(&id, |s| s < lambda));
        prop_assert_eq!(confusion.ood_missed_rate(), rate(&ood, |s| s >= lambda));
        prop_assert_eq!(confusion.ood_caught_rate(), rate(&ood, |s| s < lambda));
        prop_assert_eq!(confusion.id_kept + confusion.id_lost, id.len());
        prop_assert_eq!(confusion.ood_caught + confusion.ood_missed, ood.len());
    }

    #[test]
    fn chosen_thresholds_meet_their_goal_and_no_better_one_does(
        id in scores(),
        ood in scores(),
        target in 0.0..=1.0f64,
        costs in (0.0..4.0f64, 0.1..4.0f64),
    ) {
        let ranked = ranked(&id, &ood);
        let mut candidates = ranked.distinct_scores().to_vec();
        candidates.push(f64::INFINITY);

        let by_tpr = ranked.lambda_for_tpr(target).unwrap();
        prop_assert_eq!(by_tpr.confusion, ranked.counts_at(by_tpr.lambda));
        prop_assert!(by_tpr.confusion.id_kept_rate() >= target);
        for &lambda in candidates.iter().filter(|&&lambda| lambda > by_tpr.lambda) {
            prop_assert!(ranked.counts_at(lambda).id_kept_rate() < target);
        }

        match ranked.lambda_for_fpr(target) {
            Ok(by_fpr) => {
                prop_assert_eq!(by_fpr.confusion, ranked.counts_at(by_fpr.lambda));
                prop_assert!(by_fpr.confusion.ood_missed_rate() <= target);
                for &lambda in candidates.iter().filter(|&&lambda| lambda < by_fpr.lambda) {
                    prop_assert!(ranked.counts_at(lambda).ood_missed_rate() > target);
                }
            }
            Err(_) => prop_assert!(rate(&ood, |s| s == f64::INFINITY) > target),
        }

        let cost = |confusion: Confusion| {
            costs.0 * confusion.id_lost as f64 + costs.1 * confusion.ood_missed as f64
        };
        let by_cost = ranked.lambda_for_costs(costs.0, costs.1).unwrap();
        prop_assert_eq!(by_cost.confusion, ranked.counts_at(by_cost.lambda));
        for &lambda in &candidates {
            let other = cost(ranked.counts_at(lambda));
            prop_assert!(cost(by_cost.confusion) <= other);
            prop_assert!(lambda <= by_cost.lambda || cost(by_cost.confusion) < other);
        }
    }

    #[test]
    fn thinning_keeps_ends_order_and_shape(id in scores(), ood in scores(), max in 2usize..20) {
        let roc = ranked(&id, &ood).roc(Convention::IdPositive);
        let thinned = roc.thinned(max);
        prop_assert!(thinned.len() <= max);
        prop_assert_eq!(thinned.first(), roc.points().first());
        prop_assert_eq!(thinned.last(), roc.points().last());
        let mut rest = roc.points().iter();
        prop_assert!(thinned.iter().all(|point| rest.any(|vertex| vertex == point)));
    }
}

/// A fixed, even spread of `count` values, scaled and shifted.
fn spread(count: usize, scale: f64, shift: f64) -> Vec<f64> {
    // The golden ratio's multiples fill 0..1 evenly without repeating.
    (0..count).map(|i| (i as f64 * 0.618_033_988_749_895).fract() * scale + shift).collect()
}

#[test]
fn thinned_curve_stays_within_a_line_width() {
    let roc = ranked(&spread(4000, 1.0, 0.3), &spread(5000, 1.2, 0.0)).roc(Convention::IdPositive);
    let thinned = roc.thinned(300);
    for point in roc.points() {
        let after = thinned.iter().position(|drawn| drawn.lambda <= point.lambda).unwrap().max(1);
        let (a, b) = (thinned[after - 1], thinned[after]);
        let (run, rise) = (b.fpr - a.fpr, b.tpr - a.tpr);
        let area = run * (point.tpr - a.tpr) - rise * (point.fpr - a.fpr);
        assert!(area.abs() / run.hypot(rise) < 0.002, "{point:?} is off the drawn line");
    }
}

#[test]
fn intervals_hold_the_value_shrink_with_more_images_and_repeat() {
    let width = |interval: Interval| interval.high - interval.low;
    let few = ranked(&spread(200, 1.0, 0.2), &spread(150, 1.0, 0.0));
    let many = ranked(&spread(20_000, 1.0, 0.2), &spread(15_000, 1.0, 0.0));
    let (few_intervals, many_intervals) =
        (few.bootstrap(400, 7).unwrap().unwrap(), many.bootstrap(400, 7).unwrap().unwrap());
    for metric in Metric::ALL {
        let (interval, value) = (few_intervals.get(metric), *few.metrics().get(metric));
        assert!(
            interval.low <= value && value <= interval.high,
            "{metric:?}: {interval:?} {value}"
        );
        assert!(width(*many_intervals.get(metric)) < width(*interval) / 4.0, "{metric:?}");
    }
    assert_eq!(few.bootstrap(400, 7), Ok(Some(few_intervals)));
    assert_ne!(few.bootstrap(400, 8), Ok(Some(few_intervals)));
}

/// The standard error of AUROC has a closed form (Hanley and McNeil 1982) from the chances that two
/// ID images both beat an OOD image, and that one ID image beats two OOD images.
#[test]
fn auroc_interval_has_the_width_of_the_closed_form() {
    let (id, ood) = (spread(300, 1.0, 0.25), spread(240, 1.0, 0.0));
    let below = |scores: &[f64], limit: f64| rate(scores, |s| s < limit);
    let auroc = id.iter().map(|&s| below(&ood, s)).sum::<f64>() / id.len() as f64;
    let one_beats_two = id.iter().map(|&s| below(&ood, s).powi(2)).sum::<f64>() / id.len() as f64;
    let two_beat_one =
        ood.iter().map(|&s| (1.0 - below(&id, s)).powi(2)).sum::<f64>() / ood.len() as f64;
    let variance = (auroc * (1.0 - auroc)
        + (id.len() - 1) as f64 * (two_beat_one - auroc * auroc)
        + (ood.len() - 1) as f64 * (one_beats_two - auroc * auroc))
        / (id.len() * ood.len()) as f64;
    let expected = 2.0 * 1.96 * variance.sqrt();
    let interval = ranked(&id, &ood).bootstrap(4000, 1).unwrap().unwrap().auroc;
    let width = interval.high - interval.low;
    assert!((width / expected - 1.0).abs() < 0.05, "width {width}, closed form {expected}");
}

/// Every set is held against the same draws of the ID images: the mean over a set and its like moves
/// less than either, by what the OOD images bring alone.
#[test]
fn the_interval_of_a_mean_shares_the_id_draws() {
    let (id, ood) = (spread(200, 1.0, 0.2), spread(200, 1.0, 0.0));
    let one = ranked(&id, &ood);
    assert_eq!(bootstrap_mean(&[&one], 300, 3), one.bootstrap(300, 3));
    let width = |interval: Interval| interval.high - interval.low;
    let single = width(one.bootstrap(4000, 3).unwrap().unwrap().auroc);
    let mean = width(bootstrap_mean(&[&one; 4], 4000, 3).unwrap().unwrap().auroc);
    // Half the variance is the ID images'; the other half is divided by four.
    let expected = (0.5f64 + 0.5 / 4.0).sqrt();
    assert!((mean / single - expected).abs() < 0.05, "{mean} of {single}");
    assert!(bootstrap_mean(&[], 10, 3).is_err());
}

/// Every resample of one image is that image: an interval from 100 to 100 would say that nothing is
/// uncertain where everything is.
#[test]
fn a_single_image_has_no_interval() {
    let one = ranked(&spread(20, 1.0, 0.2), &[0.1]);
    let many = ranked(&spread(20, 1.0, 0.2), &spread(20, 1.0, 0.0));
    assert_eq!(one.bootstrap(100, 7), Ok(None));
    assert_eq!(ranked(&[0.5], &spread(20, 1.0, 0.0)).bootstrap(100, 7), Ok(None));
    assert_eq!(bootstrap_mean(&[&many, &one], 100, 7), Ok(None));
    assert!(matches!(bootstrap_mean(&[&many, &many], 100, 7), Ok(Some(_))));
}

#[test]
fn bad_input_is_named() {
    let nan = RankedScores::from_sets([1.0, f64::NAN], [0.0]);
    assert_eq!(nan.unwrap_err(), MetricsError::NanScore { row: 2, label: Label::Id });
    let rows = [(0.5f32, Label::Id), (0.1, Label::Ood), (f32::NAN, Label::Ood)];
    let nan = RankedScores::from_labelled(rows);
    assert_eq!(nan.unwrap_err(), MetricsError::NanScore { row: 3, label: Label::Ood });
    let no_ood = RankedScores::from_sets(vec![1.0], vec![]);
    assert_eq!(no_ood.unwrap_err(), MetricsError::MissingClass(Label::Ood));
    let no_id = RankedScores::from_labelled([(0.5f32, Label::Ood)]);
    assert_eq!(no_id.unwrap_err(), MetricsError::MissingClass(Label::Id));

    let ranked = ranked(&[1.0], &[f64::INFINITY, 0.0]);
    assert_eq!(ranked.lambda_for_tpr(1.5), Err(MetricsError::RateOutOfRange(1.5)));
    assert!(matches!(ranked.lambda_for_fpr(f64::NAN), Err(MetricsError::RateOutOfRange(_))));
    assert_eq!(
        ranked.lambda_for_fpr(0.4),
        Err(MetricsError::FprUnreachable { target: 0.4, infinite: 1, ood: 2 })
    );
    assert!(matches!(ranked.lambda_for_costs(0.0, 0.0), Err(MetricsError::BadCosts { .. })));
    assert!(matches!(ranked.lambda_for_costs(-1.0, 1.0), Err(MetricsError::BadCosts { .. })));
    assert_eq!(ranked.bootstrap(1, 0), Err(MetricsError::TooFewResamples(1)));
}

#[test]
fn mean_weighs_every_set_the_same() {
    let (perfect, chance) =
        (ranked(&[2.0, 3.0], &[1.0]).metrics(), ranked(&[0.0], &[0.0]).metrics());
    assert_eq!(Metrics::mean(&[perfect, chance]).unwrap().auroc, 0.75);
    assert_eq!(Metrics::mean(&[]), None);
}
