//! A CLIP's and a CLIPN's way from a photo to a verdict, by names.

use eframe::egui::{Align2, Rect, pos2};

use super::figure::{BarRow, Figure};
use super::subject::{
    self, ExplainedImage, Step, Told, always, needs_kept_tokens, needs_something_known,
};
use crate::bundle::known::filled;
use crate::pipeline::{Cosines, LabelSet, NO_TEMPLATE, TaggerOutput};
use crate::score::detectors::clipn::YesNo;
use crate::score::{LOGIT_SCALE, unit};
use crate::ui::widgets::elided;

/// The steps where the whole image's feature is judged, in the order in which they are done.
pub(super) const WHOLE: &[Step] =
    &[PHOTO, PATCHES, FEATURE, TEXTS, YES, NO, SUM, MAP, THRESHOLD, KEPT, SCORE];

/// The steps where the kept patches' features are judged: by the image's own feature it is only found
/// which names count.
pub(super) const OBJECTS: &[Step] =
    &[PHOTO, PATCHES, FEATURE, TEXTS, COUNTING, MAP, THRESHOLD, KEPT, YES, NO, SUM, SCORE];

const PHOTO: Step = Step {
    title: "Photo",
    tell: |subject| subject.photo(),
    draw: subject::draw_photo,
    missing: always,
};
const PATCHES: Step =
    Step { title: "Patches", tell: patches, draw: subject::draw_patches, missing: always };
const FEATURE: Step =
    Step { title: "Image feature", tell: feature, draw: draw_feature, missing: always };
const TEXTS: Step = Step { title: "Texts", tell: texts, draw: draw_texts, missing: needs_names };
const COUNTING: Step =
    Step { title: "Names", tell: counting, draw: draw_counting, missing: needs_names };
const YES: Step = Step { title: "Yes", tell: yes, draw: draw_yes, missing: needs_cosines };
const NO: Step = Step { title: "No", tell: no, draw: draw_no, missing: needs_no_side };
const SUM: Step =
    Step { title: "None of these", tell: sum, draw: draw_sum, missing: needs_no_side };
const MAP: Step = Step { title: "Map", tell: map, draw: draw_map, missing: needs_map };
const THRESHOLD: Step =
    Step { title: "Threshold", tell: threshold, draw: subject::draw_threshold, missing: needs_tau };
const KEPT: Step =
    Step { title: "Kept patches", tell: kept, draw: subject::draw_kept, missing: needs_tau };
const SCORE: Step = Step {
    title: "Score",
    tell: |subject| subject.score(),
    draw: |figure, subject| figure.score(subject),
    missing: always,
};

/// Names that rows are made of, at most: those that the image is most like.
const LISTED: usize = 12;

fn needs_names(subject: &ExplainedImage<'_>) -> Option<String> {
    let none = labels(subject).is_none_or(LabelSet::is_empty);
    none.then(|| "nothing is named as known".to_owned())
}

fn needs_cosines(subject: &ExplainedImage<'_>) -> Option<String> {
    let without = || cosines(subject).is_none().then(|| "the names have just changed".to_owned());
    needs_names(subject).or_else(|| needs_kept_tokens(subject)).or_else(without)
}

fn needs_no_side(subject: &ExplainedImage<'_>) -> Option<String> {
    let without = || {
        let none = cosines(subject).is_none_or(|cosines| cosines.no.is_none());
        none.then(|| "this CLIP has no second text side that says no, as a CLIPN has".to_owned())
    };
    needs_cosines(subject).or_else(without)
}

fn needs_map(subject: &ExplainedImage<'_>) -> Option<String> {
    needs_names(subject).or_else(|| needs_something_known(subject))
}

fn needs_tau(subject: &ExplainedImage<'_>) -> Option<String> {
    use crate::pipeline::FeatureChoice::WholeImage;
    let whole = subject.session.settings().features == WholeImage;
    let unused = || "the whole image's feature is judged, so τ leaves nothing out".to_owned();
    needs_map(subject).or_else(|| whole.then(unused))
}

/// The names in force.
fn labels<'a>(subject: &ExplainedImage<'a>) -> Option<&'a LabelSet> {
    subject.info.labels.as_deref()
}

/// The network's output, once it is at hand.
fn seen<'a>(subject: &ExplainedImage<'a>) -> Option<&'a TaggerOutput> {
    subject.entry.tagged.as_deref()
}

/// The cosines that detectors read, of the names in force.
fn cosines<'a>(subject: &ExplainedImage<'a>) -> Option<&'a Cosines> {
    let cosines = subject.analysis()?.cosines.as_ref()?;
    (cosines.image.len() == labels(subject)?.len()).then_some(cosines)
}

/// The image's own feature.
fn image_feature<'a>(subject: &ExplainedImage<'a>) -> Option<&'a [f32]> {
    let seen = seen(subject)?;
    seen.tokens.get(..seen.width)
}

/// Cosines of the image's own feature with the names, whichever feature is judged.
fn own_cosines(subject: &ExplainedImage<'_>) -> Option<Cosines> {
    Some(labels(subject)?.cosines(image_feature(subject)?, &[], false))
}

/// Both sides of the feature that is judged.
fn yes_no(cosines: &Cosines) -> Option<YesNo> {
    Some(YesNo::new(&cosines.image, cosines.no.as_deref()?))
}

/// The names by their cosine, the largest first.
fn order(cosines: &Cosines) -> Vec<usize> {
    let mut order: Vec<usize> = (0..cosines.image.len()).collect();
    let by = |&a: &usize, &b: &usize| cosines.image[b].total_cmp(&cosines.image[a]).then(a.cmp(&b));
    order.sort_by(by);
    order
}

/// The name that is followed through the map: the one most like the image among those that count.
fn followed(subject: &ExplainedImage<'_>) -> Option<usize> {
    let cosines = own_cosines(subject)?;
    let counting = &subject.analysis()?.decomposition.tags;
    order(&cosines).into_iter().find(|name| counting.contains(name))
}

/// That name's cosines with the patches `[1 + N]`, the lowest in front.
fn map_of_followed(subject: &ExplainedImage<'_>) -> Option<(usize, Vec<f32>)> {
    let name = followed(subject)?;
    let map = labels(subject)?.maps(seen(subject)?, &[name]);
    Some((name, map.values))
}

/// What the names are compared with.
fn judged(subject: &ExplainedImage<'_>) -> &'static str {
    use crate::pipeline::FeatureChoice;
    match subject.session.settings().features {
        FeatureChoice::WholeImage => "the image feature",
        FeatureChoice::Objects => "the mean of the kept patches",
    }
}

fn patches(subject: &ExplainedImage<'_>) -> Told {
    let manifest = &subject.info.manifest;
    let tokens = manifest.positions();
    let (grid, width) = (tokens.saturating_sub(1).isqrt(), manifest.token_width());
    let patch = manifest.clip.as_ref().map_or(0, |clip| clip.shape.image.patch);
    Told::new(
        format!(
            "ViT(x) → {tokens} tokens = 1 of the image + {grid} × {grid} patches, {width} numbers each"
        ),
        format!(
            "Each patch of {patch} × {patch} pixels is one token, and all of them look at each other in \
             CLIP's vision transformer. What remains stands in the space that CLIP's texts stand in, too."
        ),
    )
}

fn feature(subject: &ExplainedImage<'_>) -> Told {
    let width = subject.info.manifest.token_width();
    let length = image_feature(subject).map_or_else(
        || "It is on its way".to_owned(),
        |feature| {
            let norm = feature.iter().map(|v| v * v).sum::<f32>().sqrt();
            format!("Its length is {norm:.2}")
        },
    );
    Told::new(
        format!("u = f / ‖f‖,  f = token of the image,  {width} numbers"),
        format!(
            "The image's own token is its feature. {length}; divided by it, the feature's product with a \
             text's is their cosine. Here are its {width} numbers."
        ),
    )
}

fn draw_feature(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    if let Some(feature) = image_feature(subject) {
        figure.feature(&unit(feature).collect::<Vec<_>>());
    }
}

fn texts(subject: &ExplainedImage<'_>) -> Told {
    let set = labels(subject);
    let (names, templates) = set.map_or((0, &[][..]), |set| (set.len(), &set.templates[..]));
    let stand = match templates {
        [] => "stand for themselves".to_owned(),
        [one] => format!("stand in “{one}”"),
        [first, ..] => format!("stand in {} templates, as “{first}”", templates.len()),
    };
    let prompts = subject.info.manifest.clip.as_ref().and_then(|clip| clip.shape.no_prompts);
    let no = match prompts {
        None => String::new(),
        Some(0) => format!(" A second side, which was taught to say no, reads “{NO_TEMPLATE}”."),
        Some(prompts) => format!(
            " A second side, which was taught to say no, reads them behind {prompts} learned prompts."
        ),
    };
    let plural = if names == 1 { "name" } else { "names" };
    Told::new(
        "t(name) = unit(mean of unit(text transformer(text))),  texts of the name in its templates",
        format!(
            "{names} known {plural} {stand}. The text transformer makes a feature of each, in the same \
             space as the image's. Alike bars mean alike numbers.{no}"
        ),
    )
}

/// The feature of the image and those of the texts most like it, as barcodes under each other.
fn draw_texts(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    let (Some(set), Some(feature)) = (labels(subject), image_feature(subject)) else { return };
    let Some(cosines) = own_cosines(subject) else { return };
    let (palette, painter, rect) = (figure.palette(), figure.ui.painter(), figure.rect);
    let room = (rect.height() / (22.0 * figure.scale)).max(2.0) as usize;
    let names = order(&cosines).into_iter().take(LISTED.min(room - 1));
    let image = ("the image".to_owned(), unit(feature).collect::<Vec<f32>>());
    let text = |name: usize| {
        let name_text = subject.label(name);
        let template = set.templates.first();
        let text = template.map_or(name_text.clone(), |template| filled(template, &name_text));
        (text, set.features[name * set.width..(name + 1) * set.width].to_vec())
    };
    let rows: Vec<(String, Vec<f32>)> = std::iter::once(image).chain(names.map(text)).collect();
    let height = (rect.height() / rows.len() as f32).min(40.0 * figure.scale);
    let split = rect.left() + rect.width() * 0.4;
    for (at, (text, values)) in rows.iter().enumerate() {
        let top = rect.top() + height * at as f32;
        let color = if at == 0 { palette.accent } else { palette.text };
        let size = 13.0 * figure.scale;
        let galley = elided(painter, text, size, color, split - 12.0 - rect.left());
        let middle = top + height / 2.0;
        let corner = pos2(split - 12.0 - galley.size().x, middle - galley.size().y / 2.0);
        painter.galley(corner, galley, color);
        let strip = [pos2(split, top + 3.0), pos2(rect.right(), top + height - 3.0)];
        figure.barcode(Rect::from_min_max(strip[0], strip[1]), values, 1);
    }
}

fn counting(subject: &ExplainedImage<'_>) -> Told {
    let names = labels(subject).map_or(0, LabelSet::len);
    let counting = subject.analysis().map(|analysis| &analysis.decomposition.tags[..]);
    let here = subject.labels(counting.unwrap_or_default());
    Told::new(
        format!("ℓ(name) = {LOGIT_SCALE} · cos(u, t(name)),  p = softmax(ℓ)"),
        format!(
            "By the image feature, {here} of {names} known {}: those above their threshold, or the \
             likeliest one. What the verdict rests on comes later, from the patches that they keep.",
            if names == 1 { "name counts" } else { "names count" }
        ),
    )
}

fn draw_counting(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    if let Some(cosines) = own_cosines(subject) {
        let thresholds = &subject.info.vocabulary.thresholds;
        draw_names(figure, subject, &cosines, |name| thresholds.get(name).copied());
    }
}

fn yes(subject: &ExplainedImage<'_>) -> Told {
    let formula = format!("ℓ(name) = {LOGIT_SCALE} · cos(u, t(name)),  p = softmax(ℓ)");
    let Some(cosines) = cosines(subject) else { return Told::new(formula, "") };
    let probabilities = cosines.probabilities();
    let Some(&first) = order(cosines).first() else { return Told::new(formula, "") };
    let cosine = cosines.image[first];
    Told::new(
        formula,
        format!(
            "Of all known names, {} is nearest to “{}”: the cosine is {cosine:.3}, the logit {:.1}, and \
             the softmax over the names gives p = {:.3}. It must choose: p says which name fits best, \
             not whether one fits.",
            judged(subject),
            subject.label(first),
            LOGIT_SCALE * cosine,
            probabilities[first]
        ),
    )
}

fn draw_yes(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    if let Some(cosines) = cosines(subject) {
        draw_names(figure, subject, cosines, |_| None);
    }
}

/// The names' probabilities, with cosine and logit.
fn draw_names(
    figure: &Figure<'_>,
    subject: &ExplainedImage<'_>,
    cosines: &Cosines,
    threshold: impl Fn(usize) -> Option<f32>,
) {
    let (palette, probabilities) = (figure.palette(), cosines.probabilities());
    let counting = subject.analysis().map(|analysis| &analysis.decomposition.tags[..]);
    let counting = counting.unwrap_or_default();
    let row = |name: usize| {
        let (cosine, p) = (cosines.image[name], probabilities[name]);
        BarRow {
            name: subject.label(name),
            value: p,
            threshold: threshold(name),
            color: if counting.contains(&name) { palette.id } else { palette.weak },
            note: format!("cos {cosine:.3}   ℓ {:.1}   p {p:.3}", LOGIT_SCALE * cosine),
        }
    };
    listed(figure, order(cosines), row);
}

/// Rows of the first names of an order.
fn listed(figure: &Figure<'_>, order: Vec<usize>, row: impl Fn(usize) -> BarRow) {
    let rows: Vec<BarRow> = order.iter().take(LISTED).map(|&name| row(name)).collect();
    figure.bars(&rows, order.len() - rows.len());
}

fn no(subject: &ExplainedImage<'_>) -> Told {
    let formula =
        format!("ℓ_no(name) = {LOGIT_SCALE} · cos(u, t_no(name)),  p_no = e^ℓ_no / (e^ℓ + e^ℓ_no)");
    let told = cosines(subject).and_then(|cosines| {
        let (first, sides) = (*order(cosines).first()?, yes_no(cosines)?);
        let (yes, no) = (cosines.image[first], *cosines.no.as_ref()?.get(first)?);
        Some(format!(
            "Each name is asked about by itself: is this no {0}? For “{0}” the logits are {1:.1} of the \
             yes side and {2:.1} of the no side, so p_no = {3:.3}. Above 0.5 the no side wins.",
            subject.label(first),
            LOGIT_SCALE * yes,
            LOGIT_SCALE * no,
            1.0 - sides.agreed[first]
        ))
    });
    Told::new(formula, told.unwrap_or_default())
}

fn draw_no(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    let Some(cosines) = cosines(subject) else { return };
    let (Some(sides), Some(no)) = (yes_no(cosines), &cosines.no) else { return };
    let palette = figure.palette();
    listed(figure, order(cosines), |name| {
        let denied = 1.0 - sides.agreed[name] as f32;
        let [yes, no] = [cosines.image[name], no[name]].map(|cosine| LOGIT_SCALE * cosine);
        BarRow {
            name: subject.label(name),
            value: denied,
            threshold: Some(0.5),
            color: if denied > 0.5 { palette.ood } else { palette.id },
            note: format!("ℓ {yes:.1}   ℓ_no {no:.1}   p_no {denied:.3}"),
        }
    });
}

fn sum(subject: &ExplainedImage<'_>) -> Told {
    let formula = "CTW = 1 − p_no(likeliest),  ATD = Σ p · (1 − p_no),  p(none of these) = 1 − ATD";
    let told = cosines(subject).and_then(|cosines| {
        let (first, sides) = (*order(cosines).first()?, yes_no(cosines)?);
        let known = |is: bool| if is { "known" } else { "unknown" };
        let (ctw, atd) = (sides.competing_to_win(), sides.agreeing_to_differ());
        let (none, margin) = (sides.none_of_these(), sides.margin_over_none());
        let best = margin + none;
        Some(format!(
            "Competing to win hears the no side on “{}” alone: CTW = {ctw:.3}, which is {} 0.5, so {}. \
             Agreeing to differ hears it on every name: ATD = {atd:.3}, which leaves {none:.3} for “none \
             of these”. The best name has {best:.3}, {} that, so {}.",
            subject.label(first),
            if ctw >= 0.5 { "at least" } else { "below" },
            known(ctw >= 0.5),
            if margin >= 0.0 { "at least" } else { "less than" },
            known(margin >= 0.0)
        ))
    });
    Told::new(formula, told.unwrap_or_default())
}

/// What each name has left, and what "none of these" has.
fn draw_sum(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    let Some(cosines) = cosines(subject) else { return };
    let Some(sides) = yes_no(cosines) else { return };
    let palette = figure.palette();
    let kept: Vec<f64> = sides.kept().collect();
    let order = order(cosines);
    let none = sides.none_of_these() as f32;
    let mut rows = vec![BarRow {
        name: "none of these".into(),
        value: none,
        threshold: None,
        color: palette.ood,
        note: format!("1 − Σ = {none:.3}"),
    }];
    rows.extend(order.iter().take(LISTED).map(|&name| {
        let (p, agreed, kept) = (sides.probability[name], sides.agreed[name], kept[name]);
        BarRow {
            name: subject.label(name),
            value: kept as f32,
            threshold: None,
            color: palette.id,
            note: format!("{p:.3} · {agreed:.3} = {kept:.3}"),
        }
    }));
    let more = (order.len() + 1).saturating_sub(rows.len());
    figure.bars(&rows, more);
}

fn map(subject: &ExplainedImage<'_>) -> Told {
    let formula = "s(patch) = cos(v(patch), t(name)),  r = (s − min) / (max − min)";
    let Some((name, map)) = map_of_followed(subject) else { return Told::new(formula, "") };
    let (low, high) = subject::range_of(&map, map.len());
    let counting = subject.analysis().map_or(0, |analysis| analysis.decomposition.tags.len());
    let join = match counting {
        0 | 1 => "",
        _ => " The names that count join by their maximum.",
    };
    Told::new(
        formula,
        format!(
            "Every patch has a feature of its own. Its cosine with “{}” runs from {low:.3} to {high:.3} \
             over this image; stretched to 0…1 it is the relevance shown here.{join}",
            subject.label(name)
        ),
    )
}

fn draw_map(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    match map_of_followed(subject) {
        Some((_, map)) => subject::draw_relevance(figure, &map, map.len()),
        None => {
            let (at, font) = (figure.rect.center(), figure.font(14.0));
            let color = figure.palette().weak;
            let text = "The map is on its way.";
            figure.ui.painter().text(at, Align2::CENTER_CENTER, text, font, color);
        }
    }
}

fn threshold(subject: &ExplainedImage<'_>) -> Told {
    subject.threshold("Patches", 1)
}

fn kept(subject: &ExplainedImage<'_>) -> Told {
    let kept = subject.mask().iter().skip(1).filter(|&&keep| keep).count();
    let width = subject.info.manifest.token_width();
    Told::new(
        format!("f = mean {{ v(patch) : m(patch) }},  {kept} × {width} → {width},  u = f / ‖f‖"),
        "The kept patches' features are averaged. Their mean is judged in place of the whole image's \
         feature; the background does not go into it.",
    )
}
