// Points of a scatter plot, one instance each: a quad whose fragment shader cuts out a circle, a
// cross or a star by signed distance, one pixel of it anti-aliased.
//
// Colours are sRGB (gamma space) with premultiplied alpha, as egui blends them.

const CIRCLE: u32 = 0u;
const CROSS: u32 = 1u;
// Anything else is a star.

const SELECTED: u32 = 1u;
const DIMMED: u32 = 2u;

// Points are drawn in three rounds: dimmed ones below, selected ones on top.
const RANK_DIMMED: u32 = 0u;
const RANK_PLAIN: u32 = 1u;
const RANK_SELECTED: u32 = 2u;

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

struct Quad {
    @builtin(position) position: vec4<f32>,
    @location(0) from_center_px: vec2<f32>,
    @location(1) @interpolate(flat) color_srgb: vec4<f32>,
    @location(2) @interpolate(flat) radius_px: f32,
    @location(3) @interpolate(flat) outline_px: f32,
    @location(4) @interpolate(flat) shape: u32,
};

fn rank_of(flags: u32) -> u32 {
    if (flags & SELECTED) != 0u {
        return RANK_SELECTED;
    }
    return select(RANK_PLAIN, RANK_DIMMED, (flags & DIMMED) != 0u);
}

// The vertex index holds the round in its upper bits and the quad's corner in the lower two.
@vertex
fn vs_main(@builtin(vertex_index) index: u32, instance: Instance) -> Quad {
    let rank = rank_of(instance.style.z);
    var quad: Quad;
    if rank != index >> 2u {
        // All corners in one place outside: nothing is drawn.
        quad.position = vec4<f32>(2.0, 2.0, 0.0, 1.0);
        return quad;
    }
    quad.shape = instance.style.y;
    quad.radius_px = points.radius_px;
    if quad.shape == CROSS {
        quad.radius_px *= CROSS_SCALE;
    } else if quad.shape != CIRCLE {
        quad.radius_px *= STAR_SCALE;
    }
    // Black, as a palette cannot be empty on the other side.
    let color = points.palette_srgb[instance.style.x % max(points.palette_len, 1u)];
    quad.color_srgb = color * points.opacity;
    if rank == RANK_SELECTED {
        quad.color_srgb = color;
        quad.radius_px *= SELECTED_SCALE;
        quad.outline_px = points.outline_px;
    } else if rank == RANK_DIMMED {
        quad.color_srgb = points.dimmed_srgb;
        quad.radius_px *= DIMMED_SCALE;
    } else if quad.shape != CIRCLE && quad.shape != CROSS {
        quad.outline_px = points.outline_px;
    }

    let corner = vec2<f32>(f32(index & 1u), f32((index >> 1u) & 1u)) * 2.0 - 1.0;
    quad.from_center_px = corner * (quad.radius_px + quad.outline_px + 1.0);
    let center_px = (instance.position - points.center) * points.scale_px + points.center_px;
    let at = (center_px + quad.from_center_px - points.viewport_px.xy) / points.viewport_px.zw;
    quad.position = vec4<f32>(2.0 * at.x - 1.0, 1.0 - 2.0 * at.y, 0.0, 1.0);
    return quad;
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

// Five points, one of them up. All ten edges are folded onto one.
fn star_distance(at: vec2<f32>, radius: f32) -> f32 {
    const FIFTH = 1.2566371;
    let angle = atan2(at.x, -at.y);
    let folded = abs(angle - FIFTH * round(angle / FIFTH));
    let here = length(at) * vec2<f32>(sin(folded), cos(folded));
    let tip = vec2<f32>(0.0, radius);
    let notch = 0.45 * radius * vec2<f32>(sin(0.5 * FIFTH), cos(0.5 * FIFTH));
    let edge = notch - tip;
    let offset = here - tip;
    let along = clamp(dot(offset, edge) / dot(edge, edge), 0.0, 1.0);
    let side = sign(edge.x * offset.y - edge.y * offset.x);
    return side * length(offset - edge * along);
}

fn shape_distance_px(quad: Quad) -> f32 {
    if quad.shape == CIRCLE {
        return length(quad.from_center_px) - quad.radius_px;
    }
    if quad.shape == CROSS {
        return cross_distance(quad.from_center_px, quad.radius_px);
    }
    return star_distance(quad.from_center_px, quad.radius_px);
}

fn point_srgb(quad: Quad) -> vec4<f32> {
    let distance_px = shape_distance_px(quad);
    let fill = quad.color_srgb * clamp(0.5 - distance_px, 0.0, 1.0);
    let outline = points.outline_srgb * clamp(quad.outline_px + 0.5 - distance_px, 0.0, 1.0);
    return fill + select(vec4<f32>(0.0), outline, quad.outline_px > 0.0) * (1.0 - fill.a);
}

fn linear_from_srgb(srgb: vec3<f32>) -> vec3<f32> {
    let low = srgb / 12.92;
    let high = pow((srgb + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, srgb < vec3<f32>(0.04045));
}

@fragment
fn fs_gamma(quad: Quad) -> @location(0) vec4<f32> {
    return point_srgb(quad);
}

// For framebuffers that encode sRGB themselves.
@fragment
fn fs_linear(quad: Quad) -> @location(0) vec4<f32> {
    let color = point_srgb(quad);
    return vec4<f32>(linear_from_srgb(color.rgb), color.a);
}
