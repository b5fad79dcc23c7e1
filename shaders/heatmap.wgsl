// A map of relevance over the image it belongs to: sampled between its positions, coloured,
// dimmed where it is not above τ, with the contour of τ and the outline of one position.
//
// Colours are sRGB (gamma space) with premultiplied alpha, as egui blends them.

const NEAREST: u32 = 0u;
const BILINEAR: u32 = 1u;
// Anything else is Catmull-Rom. Set when the pipeline is made: software rasterisers would go through
// every branch on a uniform.
override SAMPLING: u32 = 2u;

// Below this change a pixel, a map is flat and has no contour.
const FLAT_PER_PX: f32 = 1e-7;
// Farther from every line than any line is wide.
const FAR_PX: f32 = 1e6;
const LINE_SRGB: vec3<f32> = vec3<f32>(1.0, 1.0, 1.0);
// Dark edge on both sides of a line, so that it shows over bright colours too.
const HALO_ALPHA: f32 = 0.55;

// Keep in sync with `HeatmapUniform` in src/render/heatmap.rs.
struct Heatmap {
    // Left, top, width and height of the whole image in the framebuffer.
    rect_px: vec4<f32>,
    tau: f32,
    opacity: f32,
    // How dark the image gets at and below τ; 0 shows the colours there too.
    dim: f32,
    line_px: f32,
    // Column and row of the outlined position, both negative for none.
    hovered: vec2<i32>,
    // 1 draws the contour of τ.
    contour: u32,
    padding: u32,
    // Colours for values from 0 to 1, evenly spaced; alpha is unused.
    colors_srgb: array<vec4<f32>, 9>,
};

@group(0) @binding(0) var<uniform> heatmap: Heatmap;
// One texel for each position; loaded, never filtered, as 32-bit floats need not be filterable.
@group(0) @binding(1) var map: texture_2d<f32>;

// One triangle that covers the viewport.
@vertex
fn vs_main(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let corner = vec2<f32>(f32(index & 1u), f32(index >> 1u));
    return vec4<f32>(corner * 4.0 - 1.0, 0.0, 1.0);
}

// A value with its slope, in change a cell to the right and a cell down.
struct Sample {
    value: f32,
    slope: vec2<f32>,
};

fn value_at(cell: vec2<i32>) -> f32 {
    let last = vec2<i32>(textureDimensions(map)) - 1;
    return textureLoad(map, clamp(cell, vec2<i32>(0), last), 0).r;
}

// `at` counts cells from the middle of the first one.
fn bilinear(at: vec2<f32>) -> Sample {
    let cell = vec2<i32>(floor(at));
    let share = fract(at);
    let upper = vec2<f32>(value_at(cell), value_at(cell + vec2<i32>(1, 0)));
    let lower = vec2<f32>(value_at(cell + vec2<i32>(0, 1)), value_at(cell + vec2<i32>(1, 1)));
    let column = mix(upper, lower, share.y);
    let row = mix(vec2<f32>(upper.x, lower.x), vec2<f32>(upper.y, lower.y), share.x);
    return Sample(mix(column.x, column.y, share.x), vec2<f32>(column.y - column.x, row.y - row.x));
}

// Weights of four neighbours at `t` between the second and the third.
fn catmull_rom(t: f32) -> vec4<f32> {
    let t2 = t * t;
    let t3 = t2 * t;
    return 0.5 * vec4<f32>(
        2.0 * t2 - t3 - t,
        3.0 * t3 - 5.0 * t2 + 2.0,
        4.0 * t2 - 3.0 * t3 + t,
        t3 - t2,
    );
}

// Their derivatives by `t`.
fn catmull_rom_slope(t: f32) -> vec4<f32> {
    let t2 = t * t;
    return 0.5 * vec4<f32>(
        4.0 * t - 3.0 * t2 - 1.0,
        9.0 * t2 - 10.0 * t,
        8.0 * t - 9.0 * t2 + 1.0,
        3.0 * t2 - 2.0 * t,
    );
}

// Passes through every position's value; where it overshoots 0..1 it is cut off there.
fn bicubic(at: vec2<f32>) -> Sample {
    let cell = vec2<i32>(floor(at));
    let share = fract(at);
    let across = catmull_rom(share.x);
    let across_slope = catmull_rom_slope(share.x);
    let down = catmull_rom(share.y);
    let down_slope = catmull_rom_slope(share.y);
    var value = 0.0;
    var slope = vec2<f32>(0.0);
    for (var row = 0; row < 4; row++) {
        let first = cell + vec2<i32>(-1, row - 1);
        let values = vec4<f32>(
            value_at(first),
            value_at(first + vec2<i32>(1, 0)),
            value_at(first + vec2<i32>(2, 0)),
            value_at(first + vec2<i32>(3, 0)),
        );
        let here = dot(values, across);
        value += down[row] * here;
        slope += vec2<f32>(down[row] * dot(values, across_slope), down_slope[row] * here);
    }
    let inside = value > 0.0 && value < 1.0;
    return Sample(clamp(value, 0.0, 1.0), select(vec2<f32>(0.0), slope, inside));
}

fn color_srgb(value: f32) -> vec3<f32> {
    let at = clamp(value, 0.0, 1.0) * 8.0;
    let low = min(u32(at), 7u);
    return mix(heatmap.colors_srgb[low].rgb, heatmap.colors_srgb[low + 1u].rgb, at - f32(low));
}

fn over(top: vec4<f32>, bottom: vec4<f32>) -> vec4<f32> {
    return top + bottom * (1.0 - top.a);
}

// A line with dark edges, as wide on the screen at any zoom.
fn line_srgb(distance_px: f32) -> vec4<f32> {
    let half = 0.5 * heatmap.line_px;
    let core = clamp(half + 0.5 - distance_px, 0.0, 1.0);
    let halo = HALO_ALPHA * clamp(2.0 * half + 0.5 - distance_px, 0.0, 1.0);
    return over(vec4<f32>(LINE_SRGB * core, core), vec4<f32>(0.0, 0.0, 0.0, halo));
}

// Distance to the contour between interpolated values, negative at and below τ.
fn smooth_distance_px(here: Sample, cell_px: vec2<f32>) -> f32 {
    let per_px = length(here.slope / cell_px);
    let side = select(-FAR_PX, FAR_PX, here.value > heatmap.tau);
    return select((here.value - heatmap.tau) / per_px, side, per_px < FLAT_PER_PX);
}

// The same for nearest sampling, where the contour runs along the edges of cells.
fn blocky_distance_px(at: vec2<f32>, cell_px: vec2<f32>) -> f32 {
    let cell = vec2<i32>(floor(at));
    let low_px = fract(at) * cell_px;
    let high_px = cell_px - low_px;
    let above = value_at(cell) > heatmap.tau;
    var nearest = FAR_PX;
    if (value_at(cell - vec2<i32>(1, 0)) > heatmap.tau) != above {
        nearest = min(nearest, low_px.x);
    }
    if (value_at(cell - vec2<i32>(0, 1)) > heatmap.tau) != above {
        nearest = min(nearest, low_px.y);
    }
    if (value_at(cell + vec2<i32>(1, 0)) > heatmap.tau) != above {
        nearest = min(nearest, high_px.x);
    }
    if (value_at(cell + vec2<i32>(0, 1)) > heatmap.tau) != above {
        nearest = min(nearest, high_px.y);
    }
    return select(-nearest, nearest, above);
}

// Distance to the outline of the hovered cell.
fn hovered_distance_px(at: vec2<f32>, cell_px: vec2<f32>) -> f32 {
    let beyond = (abs(at - vec2<f32>(heatmap.hovered) - 0.5) - 0.5) * cell_px;
    return abs(length(max(beyond, vec2<f32>(0.0))) + min(max(beyond.x, beyond.y), 0.0));
}

fn heatmap_srgb(position_px: vec2<f32>) -> vec4<f32> {
    let uv = (position_px - heatmap.rect_px.xy) / heatmap.rect_px.zw;
    if any(uv < vec2<f32>(0.0)) || any(uv >= vec2<f32>(1.0)) {
        return vec4<f32>(0.0);
    }
    let grid = vec2<f32>(textureDimensions(map));
    let cell_px = heatmap.rect_px.zw / grid;
    let at = uv * grid;

    var value: f32;
    var distance_px: f32;
    if SAMPLING == NEAREST {
        value = value_at(vec2<i32>(floor(at)));
        distance_px = blocky_distance_px(at, cell_px);
    } else {
        var here: Sample;
        if SAMPLING == BILINEAR {
            here = bilinear(at - 0.5);
        } else {
            here = bicubic(at - 0.5);
        }
        value = here.value;
        distance_px = smooth_distance_px(here, cell_px);
    }

    let colored = vec4<f32>(color_srgb(value), 1.0) * heatmap.opacity;
    let below = select(colored, vec4<f32>(0.0, 0.0, 0.0, heatmap.dim), heatmap.dim > 0.0);
    var result = mix(below, colored, clamp(distance_px + 0.5, 0.0, 1.0));
    if heatmap.contour == 1u {
        result = over(line_srgb(abs(distance_px)), result);
    }
    if heatmap.hovered.x >= 0 {
        result = over(line_srgb(hovered_distance_px(at, cell_px)), result);
    }
    return result;
}

fn linear_from_srgb(srgb: vec3<f32>) -> vec3<f32> {
    let low = srgb / 12.92;
    let high = pow((srgb + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, srgb < vec3<f32>(0.04045));
}

@fragment
fn fs_gamma(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    return heatmap_srgb(position.xy);
}

// For framebuffers that encode sRGB themselves.
@fragment
fn fs_linear(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let color = heatmap_srgb(position.xy);
    return vec4<f32>(linear_from_srgb(color.rgb), color.a);
}
