//! Colours for values in 0..1: perceptually even, and safe for colour-blind readers.

/// Nine points of matplotlib's viridis, evenly spaced, sRGB.
pub const VIRIDIS_SRGB: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// Viridis at `value`, between its points; values outside 0..1 take an end, NaN the lower one.
pub fn viridis_srgb(value: f32) -> [u8; 3] {
    let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let at = value * (VIRIDIS_SRGB.len() - 1) as f32;
    let low = (at as usize).min(VIRIDIS_SRGB.len() - 2);
    let share = at - low as f32;
    let (from, to) = (VIRIDIS_SRGB[low], VIRIDIS_SRGB[low + 1]);
    std::array::from_fn(|c| {
        (f32::from(from[c]) * (1.0 - share) + f32::from(to[c]) * share).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brightness_grows_with_the_value() {
        let luminance = |[r, g, b]: [u8; 3]| {
            0.2126 * f32::from(r) + 0.7152 * f32::from(g) + 0.0722 * f32::from(b)
        };
        let values: Vec<f32> =
            (0..=100).map(|i| luminance(viridis_srgb(i as f32 / 100.0))).collect();
        assert!(values.windows(2).all(|pair| pair[1] >= pair[0] - 0.5));
        assert_eq!(viridis_srgb(-1.0), VIRIDIS_SRGB[0]);
        assert_eq!(viridis_srgb(f32::NAN), VIRIDIS_SRGB[0]);
        assert_eq!(viridis_srgb(2.0), VIRIDIS_SRGB[8]);
    }
}
