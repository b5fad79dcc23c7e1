//! The geometry of shifted windows: which token goes where, and who may see whom.

/// Flat token index for every slot of the window-major layout of the cyclically shifted map.
///
/// Slots run over (window row, window column, row inside, column inside); the shifted map holds, at
/// row `r`, the token of row `(r + shift) % side`, and columns alike. Length `side * side`.
pub(super) fn window_order(side: usize, window: usize, shift: usize) -> Vec<usize> {
    let windows = side / window;
    let mut order = Vec::with_capacity(side * side);
    for slot in 0..side * side {
        let (window_index, inside) = (slot / (window * window), slot % (window * window));
        let row = (window_index / windows) * window + inside / window;
        let column = (window_index % windows) * window + inside % window;
        order.push(((row + shift) % side) * side + (column + shift) % side);
    }
    order
}

/// The inverse of a permutation.
pub(super) fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    for (slot, &token) in order.iter().enumerate() {
        inverse[token] = slot;
    }
    inverse
}

/// Row of the relative position bias table for each (query, key) pair of one window:
/// `[window², window²]`, row-major.
pub(super) fn relative_index(window: usize) -> Vec<usize> {
    let count = window * window;
    let mut index = Vec::with_capacity(count * count);
    for query in 0..count {
        for key in 0..count {
            let rows = query / window + window - 1 - key / window;
            let columns = query % window + window - 1 - key % window;
            index.push(rows * (2 * window - 1) + columns);
        }
    }
    index
}

/// For each slot of the window-major layout, the region of the torus it came from: a token sees
/// those of its own region alone, since a cyclic shift brings opposite edges together.
pub(super) fn regions(side: usize, window: usize, shift: usize) -> Vec<u8> {
    let band = |at: usize| u8::from(at >= side - window) + u8::from(at >= side - shift);
    // Regions live in shifted coordinates, so the slots are ordered without a shift.
    window_order(side, window, 0)
        .into_iter()
        .map(|token| 3 * band(token / side) + band(token % side))
        .collect()
}
