//! Functions of one value or one row, written so that the compiler vectorises them where they are
//! called inside an `Arch::dispatch`.

/// Independent lanes, so that the compiler may reorder what floating-point rules would forbid.
const LANES: usize = 16;

#[inline(always)]
pub(super) fn maximum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| a.max(b))
}

#[inline(always)]
pub(super) fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}

/// `eˣ` to within two units in the last place for `x` in -87..88, and 0 below.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5·2²³ rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let bounded = if x < -87.0 { -87.0 } else { x };
    let bounded = if bounded > 88.0 { 88.0 } else { bounded };
    let power = (bounded * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = bounded - power * LN_2_HIGH - power * LN_2_LOW;
    // The Taylor series, to where its next term is below rounding for |r| ≤ ln 2 / 2.
    let mut series = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * r + term;
    }
    // SAFETY of the cast: `power` lies in -126..=127.
    let scale = f32::from_bits(((power as i32 + 127) << 23) as u32);
    if x < -87.0 { 0.0 } else { series * scale }
}

#[inline(always)]
pub(super) fn gelu_of(x: f32) -> f32 {
    x * normal_below(x)
}

/// `Φ(x)`, with erf by Abramowitz and Stegun's formula 7.1.26 (error at most 1.5e-7).
#[inline(always)]
fn normal_below(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut series = 1.061_405_4;
    for term in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        series = series * t + term;
    }
    let tail = 0.5 * series * t * exp(-z * z);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// GELU's tangent at `x`: slope `Φ(x) + x φ(x)` and offset `−x² φ(x)`.
#[inline(always)]
pub(super) fn gelu_tangent(x: f32) -> (f32, f32) {
    const DENSITY_AT_0: f32 = 0.398_942_3;
    let density = x * DENSITY_AT_0 * exp(-0.5 * x * x);
    (normal_below(x) + density, -x * density)
}

#[inline(always)]
pub(super) fn quick_gelu_of(x: f32) -> f32 {
    x * logistic(QUICK * x)
}

/// The factor inside QuickGELU's sigmoid.
pub(super) const QUICK: f32 = 1.702;

#[inline(always)]
fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// QuickGELU's tangent at `x`: slope `σ + 1.702 x σ (1 − σ)` and offset `−1.702 x² σ (1 − σ)`.
#[inline(always)]
pub(super) fn quick_gelu_tangent(x: f32) -> (f32, f32) {
    let share = logistic(QUICK * x);
    let bend = QUICK * x * share * (1.0 - share);
    (share + bend, -x * bend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_rounding() {
        for step in -86_000..88_000 {
            let x = step as f32 * 1e-3;
            let exact = (x as f64).exp();
            assert!(((exp(x) as f64 - exact) / exact).abs() < 3e-7, "exp({x})");
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn lanes_cover_every_length() {
        for length in 1..70 {
            let values: Vec<f32> = (0..length).map(|i| ((i * 37) % 11) as f32 - 20.0).collect();
            assert_eq!(sum(&values), values.iter().sum::<f32>());
            assert_eq!(maximum(&values), values.iter().copied().fold(f32::MIN, f32::max));
        }
    }
}
