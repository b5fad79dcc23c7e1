//! Which map lies over the image, and how it is drawn.

use serde::{Deserialize, Serialize};

/// Which map lies over the image, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MapView {
    /// The tags whose union is shown, ascending; none for those that count.
    pub tags: Vec<usize>,
    /// A decoder layer in place of the recipe's.
    pub layer: Option<usize>,
    /// One head in place of the sum.
    pub head: Option<usize>,
    /// Whether the map is shown at all.
    pub visible: bool,
    /// How much of the colours covers the image, 0 to 1.
    pub opacity: f32,
    /// Whether values are drawn as smooth fields rather than squares.
    pub smooth: bool,
    /// Whether the contour of τ is drawn.
    pub contour: bool,
    /// Whether the image is dimmed where the map is not above τ.
    pub dimmed: bool,
    /// Whether the scale of colours is drawn.
    pub legend: bool,
}

impl Default for MapView {
    fn default() -> Self {
        Self {
            tags: Vec::new(),
            layer: None,
            head: None,
            visible: true,
            opacity: 0.6,
            smooth: true,
            contour: true,
            dimmed: true,
            legend: true,
        }
    }
}
