// Points of a scatter plot, one instance each: a triangle out of which the fragment shader cuts a
// circle, a cross or a star by signed distance, its edge anti-aliased over one pixel. One triangle
// costs less than a quad's two, even if it covers a third more.
//
// Colours are sRGB (gamma space) with premultiplied alpha, as egui blends them.

const CIRCLE: u32 = 0u;
const CROSS: u32 = 1u;
// Anything else is a star.

const SELECTED: u32 = 1u;
const DIMMED: u32 = 2u;

// Points are drawn in four rounds: dimmed ones below, then crosses, so that they hide neither circles
// nor centers, selected ones on top.
const RANK_DIMMED: u32 = 0u;
const RANK_CROSS: u32 = 1u;
const RANK_PLAIN: u32 = 2u;
const RANK_SELECTED: u32 = 3u;

const SELECTED_SCALE: f32 = 1.5;
const DIMMED_SCALE: f32 = 0.8;
// Shapes with less area than a circle are drawn larger, to weigh the same to the eye.
const CROSS_SCALE: f32 = 1.2;
const STAR_SCALE: f32 = 1.9;

// Keep in sync with `PointsUniform` in src/render/points.rs.
struct Points {
    // Left, top, width and height of the viewport in the framebuffer.
    viewport_px: vec4<f32>,
    // px_from_data: (data - center) * scale_px + center_px.
    center: vec2<f32>,
    scale_px: vec2<f32>,
    center_px: vec2<f32>,
    radius_px: f32,
    opacity: f32,
    dimmed_srgb: vec4<f32>,
    outline_srgb: vec4<f32>,
    outline_px: f32,
    palette_len: u32,
    padding: vec2<u32>,
    palette_srgb: array<vec4<f32>, 256>,
};

@group(0) @binding(0) var<uniform> points: Points;

struct Instance {
    @location(0) position: vec2<f32>,
    // Class, shape, flags, unused. Keep in sync with `PointStyle` in src/render/points.rs.
    @location(1) style: vec4<u32>,
};

struct Vertex {
    @builtin(position) position: vec4<f32>,
    @location(0) from_center_px: vec2<f32>,
    @location(1) @interpolate(flat) color_srgb: vec4<f32>,
    @location(2) @interpolate(flat) radius_px: f32,
    @location(3) @interpolate(flat) outline_px: f32,
    @location(4) @interpolate(flat) shape: u32,
};

// An equilateral triangle around the unit circle.
const CORNERS = array<vec2<f32>, 3>(
    vec2<f32>(0.0, -2.0),
    vec2<f32>(1.7320508, 1.0),
    vec2<f32>(-1.7320508, 1.0),
);

fn rank_of(shape: u32, flags: u32) -> u32 {
    if (flags & SELECTED) != 0u {
        return RANK_SELECTED;
    }
    let plain = select(RANK_PLAIN, RANK_CROSS, shape == CROSS);
    return select(plain, RANK_DIMMED, (flags & DIMMED) != 0u);
}

// The vertex index counts the triangle's corners, three for each round.
@vertex
fn vs_main(@builtin(vertex_index) index: u32, instance: Instance) -> Vertex {
    let rank = rank_of(instance.style.y, instance.style.z);
    var vertex: Vertex;
    if rank != index / 3u {
        // All corners in one place outside: nothing is drawn.
        vertex.position = vec4<f32>(2.0, 2.0, 0.0, 1.0);
        return vertex;
    }
    vertex.shape = instance.style.y;
    vertex.radius_px = points.radius_px;
    if vertex.shape == CROSS {
        vertex.radius_px *= CROSS_SCALE;
    } else if vertex.shape != CIRCLE {
        vertex.radius_px *= STAR_SCALE;
    }
    // Of an empty palette nothing is drawn: its entries are transparent.
    let color = points.palette_srgb[instance.style.x % max(points.palette_len, 1u)];
    vertex.color_srgb = color * points.opacity;
    if rank == RANK_SELECTED {
        vertex.color_srgb = color;
        vertex.radius_px *= SELECTED_SCALE;
        vertex.outline_px = points.outline_px;
    } else if rank == RANK_DIMMED {
        vertex.color_srgb = points.dimmed_srgb;
        vertex.radius_px *= DIMMED_SCALE;
    } else if vertex.shape != CIRCLE && vertex.shape != CROSS {
        vertex.outline_px = points.outline_px;
    }

    let reach_px = vertex.radius_px + vertex.outline_px + 1.0;
    vertex.from_center_px = reach_px * CORNERS[index % 3u];
    let center_px = (instance.position - points.center) * points.scale_px + points.center_px;
    let at = (center_px + vertex.from_center_px - points.viewport_px.xy) / points.viewport_px.zw;
    vertex.position = vec4<f32>(2.0 * at.x - 1.0, 1.0 - 2.0 * at.y, 0.0, 1.0);
    return vertex;
}

fn box_distance(at: vec2<f32>, half_size: vec2<f32>) -> f32 {
    let beyond = abs(at) - half_size;
    return length(max(beyond, vec2<f32>(0.0))) + min(max(beyond.x, beyond.y), 0.0);
}

// Two bars along the diagonals.
fn cross_distance(at: vec2<f32>, radius: f32) -> f32 {
    let turned = vec2<f32>(at.x + at.y, at.y - at.x) * inverseSqrt(2.0);
    let bar = vec2<f32>(radius, max(0.24 * radius, 0.6));
    return min(box_distance(turned, bar), box_distance(turned, bar.yx));
}

// Five points, one of them up. Mirrors at 108, 36 and 0 degrees from there fold all ten edges onto
// one; a mirror is given by its normal.
fn star_distance(at: vec2<f32>, radius: f32) -> f32 {
    const MIRROR_108 = vec2<f32>(-0.30901699, -0.95105652);
    const MIRROR_36 = vec2<f32>(0.80901699, -0.58778525);
    var here = vec2<f32>(abs(at.x), -at.y);
    here -= 2.0 * max(dot(here, MIRROR_108), 0.0) * MIRROR_108;
    here -= 2.0 * max(dot(here, MIRROR_36), 0.0) * MIRROR_36;
    here.x = abs(here.x);
    let tip = vec2<f32>(0.0, radius);
    let notch = 0.45 * radius * vec2<f32>(0.58778525, 0.80901699);
    let edge = notch - tip;
    let offset = here - tip;
    let along = clamp(dot(offset, edge) / dot(edge, edge), 0.0, 1.0);
    let side = sign(edge.x * offset.y - edge.y * offset.x);
    return side * length(offset - edge * along);
}

fn shape_distance_px(point: Vertex) -> f32 {
    if point.shape == CIRCLE {
        return length(point.from_center_px) - point.radius_px;
    }
    if point.shape == CROSS {
        return cross_distance(point.from_center_px, point.radius_px);
    }
    return star_distance(point.from_center_px, point.radius_px);
}

fn point_srgb(point: Vertex) -> vec4<f32> {
    let distance_px = shape_distance_px(point);
    let fill = point.color_srgb * clamp(0.5 - distance_px, 0.0, 1.0);
    let outline = points.outline_srgb * clamp(point.outline_px + 0.5 - distance_px, 0.0, 1.0);
    return fill + select(vec4<f32>(0.0), outline, point.outline_px > 0.0) * (1.0 - fill.a);
}

fn linear_from_srgb(srgb: vec3<f32>) -> vec3<f32> {
    let low = srgb / 12.92;
    let high = pow((srgb + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, srgb < vec3<f32>(0.04045));
}

@fragment
fn fs_gamma(point: Vertex) -> @location(0) vec4<f32> {
    return point_srgb(point);
}

// For framebuffers that encode sRGB themselves.
@fragment
fn fs_linear(point: Vertex) -> @location(0) vec4<f32> {
    let color = point_srgb(point);
    return vec4<f32>(linear_from_srgb(color.rgb), color.a);
}
