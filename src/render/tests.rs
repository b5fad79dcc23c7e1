//! What is drawn, looked at off-screen on the software adapter.

use std::sync::Arc;

use eframe::egui::{self, Color32, Pos2, Rect, pos2, vec2};
use eframe::egui_wgpu::{RendererOptions, wgpu};
use egui_kittest::Harness;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};

use super::*;
use crate::colormap::viridis_srgb;

/// A device with default limits: what every WebGPU device has.
pub(super) fn device() -> (wgpu::Device, wgpu::Queue) {
    let state = create_render_state(default_wgpu_setup(), RendererOptions::PREDICTABLE);
    (state.device, state.queue)
}

/// A WGSL struct's size, and its members' names and offsets, in bytes.
pub(super) fn struct_layout(wgsl: &str, name: &str) -> (usize, Vec<(String, usize)>) {
    let module = check("layout", wgsl).unwrap();
    let (_, found) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).unwrap();
    let naga::TypeInner::Struct { members, span } = &found.inner else {
        panic!("`{name}` is no struct");
    };
    let offset = |m: &naga::StructMember| (m.name.clone().unwrap(), m.offset as usize);
    (*span as usize, members.iter().map(offset).collect())
}

/// What `draw` paints on a gray ground of 200×120 points at two pixels a point.
struct TestCanvas(image::RgbaImage);

const PIXELS_PER_POINT: f32 = 2.0;
const GROUND: Color32 = Color32::from_gray(100);

impl TestCanvas {
    fn draw(draw: impl Fn(&egui::Painter)) -> Self {
        Self::draw_on(true, draw)
    }

    fn draw_on(with_shaders: bool, draw: impl Fn(&egui::Painter)) -> Self {
        let state = create_render_state(default_wgpu_setup(), RendererOptions::PREDICTABLE);
        if with_shaders {
            install(&state).unwrap();
        }
        let mut harness = Harness::builder()
            .with_size(vec2(200.0, 120.0))
            .with_pixels_per_point(PIXELS_PER_POINT)
            .renderer(WgpuTestRenderer::from_render_state(state))
            .build_ui(|ui| {
                let screen = ui.ctx().content_rect();
                let painter = ui.painter().with_clip_rect(screen);
                painter.rect_filled(screen, 0.0, GROUND);
                draw(&painter);
            });
        Self(harness.render().unwrap())
    }

    fn at(&self, at: Pos2) -> [u8; 3] {
        let [x, y] = [at.x, at.y].map(|side| (side * PIXELS_PER_POINT) as u32);
        let [r, g, b, _] = self.0.get_pixel(x, y).0;
        [r, g, b]
    }

    #[track_caller]
    fn assert_color(&self, at: Pos2, expected: [u8; 3]) {
        let found = self.at(at);
        let close = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 3);
        assert!(close, "{at:?}: {found:?}, not {expected:?}");
    }
}

const RECT: Rect = Rect { min: pos2(20.0, 10.0), max: pos2(180.0, 110.0) };

fn map() -> Arc<[f32]> {
    Arc::from([0.1, 0.4, 0.7, 1.0])
}

/// The middle of a patch of a 2×2 map.
fn middle(column: f32, row: f32) -> Pos2 {
    RECT.min + RECT.size() * vec2(column + 0.5, row + 0.5) / 2.0
}

fn plain(sampling: Sampling) -> HeatmapLook {
    HeatmapLook { opacity: 1.0, sampling, dim: 0.0, contour: false, ..HeatmapLook::default() }
}

#[test]
fn every_sampling_shows_the_values_in_the_middle_of_patches() {
    for sampling in [Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic] {
        let canvas = TestCanvas::draw(|painter| heatmap(painter, RECT, &map(), &plain(sampling)));
        for (at, value) in
            [([0.0, 0.0], 0.1), ([1.0, 0.0], 0.4), ([0.0, 1.0], 0.7), ([1.0, 1.0], 1.0)]
        {
            canvas.assert_color(middle(at[0], at[1]), viridis_srgb(value));
        }
        canvas.assert_color(RECT.min - vec2(1.0, 1.0), GROUND.to_array()[..3].try_into().unwrap());
        canvas.assert_color(RECT.max + vec2(1.0, 1.0), GROUND.to_array()[..3].try_into().unwrap());
    }
}

#[test]
fn values_between_patches_are_as_sampled() {
    let between = middle(0.5, 0.0);
    let nearest = TestCanvas::draw(|p| heatmap(p, RECT, &map(), &plain(Sampling::Nearest)));
    nearest.assert_color(between - vec2(1.0, 0.0), viridis_srgb(0.1));
    nearest.assert_color(between + vec2(1.0, 0.0), viridis_srgb(0.4));
    let bilinear = TestCanvas::draw(|p| heatmap(p, RECT, &map(), &plain(Sampling::Bilinear)));
    bilinear.assert_color(between, viridis_srgb(0.25));
    bilinear.assert_color(middle(0.5, 0.5), viridis_srgb(0.55));
    let bicubic = TestCanvas::draw(|p| heatmap(p, RECT, &map(), &plain(Sampling::Bicubic)));
    // Four values in a row, the outer ones repeated: halfway is the mean.
    bicubic.assert_color(between, viridis_srgb(0.25));
}

#[test]
fn opacity_and_dimming_blend_over_the_image() {
    let analysis = HeatmapLook { opacity: 0.5, contour: false, ..plain(Sampling::Nearest) };
    let canvas = TestCanvas::draw(|p| heatmap(p, RECT, &map(), &analysis));
    let half = viridis_srgb(0.1).map(|channel| channel / 2 + 50);
    canvas.assert_color(middle(0.0, 0.0), half);

    let dimmed = HeatmapLook { tau: 0.5, dim: 0.4, ..analysis };
    let canvas = TestCanvas::draw(|p| heatmap(p, RECT, &map(), &dimmed));
    canvas.assert_color(middle(0.0, 0.0), [60; 3]);
    canvas.assert_color(middle(0.0, 1.0), viridis_srgb(0.7).map(|channel| channel / 2 + 50));
}

#[test]
fn the_contour_runs_where_the_map_is_tau() {
    // From 0 in the left patch's middle to 1 in the right one's: τ = 0.25 lies a quarter between.
    let slope: Arc<[f32]> = Arc::from([0.0, 1.0, 0.0, 1.0]);
    for sampling in [Sampling::Bilinear, Sampling::Nearest] {
        let analysis = HeatmapLook { tau: 0.25, contour: true, ..plain(sampling) };
        let canvas = TestCanvas::draw(|p| heatmap(p, RECT, &slope, &analysis));
        let crossing = match sampling {
            Sampling::Nearest => RECT.center().x,
            _ => middle(0.0, 0.0).x + 0.25 * RECT.width() / 2.0,
        };
        for y in [15.0, 60.0, 105.0] {
            let white = |x: f32| canvas.at(pos2(x, y)).iter().all(|&channel| channel > 230);
            let line: Vec<f32> =
                (0..320).map(|i| 20.25 + i as f32 / 2.0).filter(|&x| white(x)).collect();
            assert!(!line.is_empty() && line.len() <= 4, "{sampling:?}: {line:?}");
            assert!(line.iter().all(|x| (x - crossing).abs() <= 1.0), "{sampling:?}: {line:?}");
        }
    }
}

#[test]
fn a_flat_map_has_no_contour() {
    let flat: Arc<[f32]> = Arc::from([0.5; 9]);
    for sampling in [Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic] {
        let analysis = HeatmapLook { tau: 0.5, contour: true, ..plain(sampling) };
        let canvas = TestCanvas::draw(|p| heatmap(p, RECT, &flat, &analysis));
        canvas.assert_color(RECT.center(), viridis_srgb(0.5));
    }
}

#[test]
fn the_hovered_patch_is_outlined() {
    let analysis = HeatmapLook { hovered: Some([1, 0]), ..plain(Sampling::Nearest) };
    let canvas = TestCanvas::draw(|p| heatmap(p, RECT, &map(), &analysis));
    canvas.assert_color(pos2(RECT.center().x + 0.1, 30.0), [255; 3]);
    canvas.assert_color(middle(1.0, 0.0), viridis_srgb(0.4));
    canvas.assert_color(pos2(RECT.center().x + 0.1, 90.0), viridis_srgb(1.0));
}

#[test]
fn a_zoomed_image_shows_its_visible_part() {
    // The whole canvas lies inside the lower right patch.
    let far = Rect::from_min_max(pos2(-3000.0, -2000.0), pos2(600.0, 500.0));
    let canvas = TestCanvas::draw(|p| heatmap(p, far, &map(), &plain(Sampling::Nearest)));
    canvas.assert_color(pos2(3.0, 3.0), viridis_srgb(1.0));
    canvas.assert_color(pos2(197.0, 117.0), viridis_srgb(1.0));
}

#[test]
fn several_heatmaps_keep_their_own_looks() {
    let left = Rect::from_min_size(pos2(0.0, 0.0), vec2(100.0, 120.0));
    let right = left.translate(vec2(100.0, 0.0));
    let canvas = TestCanvas::draw(|p| {
        let shared = map();
        heatmap(p, left, &shared, &plain(Sampling::Nearest));
        let faint = HeatmapLook { opacity: 0.0, ..plain(Sampling::Nearest) };
        heatmap(p, right, &shared, &faint);
    });
    canvas.assert_color(pos2(25.0, 30.0), viridis_srgb(0.1));
    canvas.assert_color(pos2(125.0, 30.0), [100; 3]);
}

#[test]
fn without_its_shader_nothing_is_drawn() {
    let canvas = TestCanvas::draw_on(false, |p| {
        heatmap(p, RECT, &map(), &plain(Sampling::Nearest));
        points(p, RECT, &cloud(), VIEW, &solid());
    });
    canvas.assert_color(middle(0.0, 0.0), [100; 3]);
}

const VIEW: View = View { center: [0.0, 0.0], scale: 10.0 };

/// A circle left, a cross above it, a star right, a dimmed point below, and one under a selected
/// one.
fn cloud() -> PointCloud {
    let style = |class, shape| PointStyle { class, shape, ..PointStyle::default() };
    let dimmed = PointStyle { dimmed: true, ..style(0, Shape::Circle) };
    let selected = PointStyle { selected: true, ..style(1, Shape::Circle) };
    PointCloud {
        positions: Arc::from([
            [-5.0, 0.0],
            [-5.0, 3.0],
            [5.0, 0.0],
            [0.0, -3.0],
            [0.0, 3.0],
            [0.0, 3.0],
            [f32::NAN, 0.0],
        ]),
        styles: Arc::from([
            style(0, Shape::Circle),
            style(1, Shape::Cross),
            style(2, Shape::Star),
            dimmed,
            selected,
            style(0, Shape::Circle),
            style(0, Shape::Circle),
        ]),
    }
}

fn solid() -> PointLook {
    PointLook { radius: 6.0, opacity: 1.0, dimmed: Color32::from_gray(60), ..PointLook::default() }
}

fn class_color(class: usize) -> [u8; 3] {
    let [r, g, b, _] = CLASS_COLORS[class].to_array();
    [r, g, b]
}

#[test]
fn points_are_where_the_view_puts_them() {
    let canvas = TestCanvas::draw(|p| points(p, RECT, &cloud(), VIEW, &solid()));
    let at = |data| VIEW.screen_from_data(RECT, data);
    canvas.assert_color(at([-5.0, 0.0]), class_color(0));
    canvas.assert_color(at([-5.0, 0.0]) + vec2(5.0, 0.0), class_color(0));
    canvas.assert_color(at([-5.0, 0.0]) + vec2(7.0, 0.0), [100; 3]);
    // A cross is empty beside its middle, and full along its diagonals.
    canvas.assert_color(at([-5.0, 3.0]) + vec2(4.0, 4.0), class_color(1));
    canvas.assert_color(at([-5.0, 3.0]) + vec2(5.0, 0.0), [100; 3]);
    // A star has a point up, none down, and a dark line around.
    canvas.assert_color(at([5.0, 0.0]), class_color(2));
    canvas.assert_color(at([5.0, 0.0]) - vec2(0.0, 8.0), class_color(2));
    canvas.assert_color(at([5.0, 0.0]) + vec2(0.0, 9.0), [100; 3]);
    canvas.assert_color(at([0.0, -3.0]), [60; 3]);
}

#[test]
fn selected_points_lie_on_top_with_a_line_around() {
    let canvas = TestCanvas::draw(|p| points(p, RECT, &cloud(), VIEW, &solid()));
    let at = VIEW.screen_from_data(RECT, [0.0, 3.0]);
    canvas.assert_color(at, class_color(1));
    canvas.assert_color(at + vec2(8.5, 0.0), class_color(1));
    canvas.assert_color(at + vec2(9.75, 0.0), [0; 3]);
}

#[test]
fn points_are_cut_off_at_their_plot() {
    let edge = VIEW.data_from_screen(RECT, RECT.left_center());
    let cloud =
        PointCloud { positions: Arc::from([edge]), styles: Arc::from([PointStyle::default()]) };
    let canvas = TestCanvas::draw(|p| points(p, RECT, &cloud, VIEW, &solid()));
    canvas.assert_color(RECT.left_center() + vec2(3.0, 0.0), class_color(0));
    canvas.assert_color(RECT.left_center() - vec2(3.0, 0.0), [100; 3]);
}
