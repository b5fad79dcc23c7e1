//! Drawing off-screen, 1280×800 pixels: heatmaps by sampling, and clouds of points; and finding points
//! under the pointer. Takes a software adapter where there is one, whose rasteriser then has most of the
//! time; the adapter is printed.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use eframe::egui::{self, Rect, pos2};
use eframe::egui_wgpu::{RenderState, RendererOptions, ScreenDescriptor, wgpu};
use egui_kittest::wgpu::{create_render_state, default_wgpu_setup};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tagood_lens::render::{
    self, HeatmapLook, Picker, PointCloud, PointLook, PointStyle, Sampling, View,
};

const SIZE: [u32; 2] = [1280, 800];
const SCREEN: Rect = Rect { min: pos2(0.0, 0.0), max: pos2(1280.0, 800.0) };

/// A window that nobody sees.
struct Offscreen {
    state: RenderState,
    context: egui::Context,
    target: wgpu::TextureView,
}

impl Offscreen {
    fn new() -> Self {
        let state = create_render_state(default_wgpu_setup(), RendererOptions::PREDICTABLE);
        eprintln!("adapter: {}", state.adapter.get_info().name);
        render::install(&state).unwrap_or_else(|error| unreachable!("{error}"));
        let target = state.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: SIZE[0], height: SIZE[1], depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: state.target_format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        let target = target.create_view(&wgpu::TextureViewDescriptor::default());
        Self { state, context: egui::Context::default(), target }
    }

    /// One frame from shapes to pixels: prepared, drawn, waited for.
    fn frame(&self, draw: impl Fn(&egui::Painter)) {
        let input = egui::RawInput { screen_rect: Some(SCREEN), ..Default::default() };
        let output = self.context.run_ui(input, |ui| draw(&ui.painter().with_clip_rect(SCREEN)));
        let primitives = self.context.tessellate(output.shapes, 1.0);
        let screen = ScreenDescriptor { size_in_pixels: SIZE, pixels_per_point: 1.0 };
        let (device, queue) = (&self.state.device, &self.state.queue);
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut renderer = self.state.renderer.write();
        renderer.update_buffers(device, queue, &mut encoder, &primitives, &screen);
        let attachment = wgpu::RenderPassColorAttachment {
            view: &self.target,
            depth_slice: None,
            resolve_target: None,
            ops: wgpu::Operations::default(),
        };
        let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            color_attachments: &[Some(attachment)],
            ..Default::default()
        });
        renderer.render(&mut pass.forget_lifetime(), &primitives, &screen);
        queue.submit([encoder.finish()]);
        let drawn = device.poll(wgpu::PollType::wait_indefinitely());
        black_box(drawn.unwrap_or_else(|error| unreachable!("{error}")));
    }
}

fn drawing(criterion: &mut Criterion) {
    let offscreen = Offscreen::new();
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let mut group = criterion.benchmark_group("draw");
    group.sample_size(10);
    group.bench_function("nothing", |b| b.iter(|| offscreen.frame(|_| ())));

    let map: Arc<[f32]> = (0..32 * 32).map(|_| dice.random()).collect();
    for sampling in [Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic] {
        let analysis = HeatmapLook { sampling, ..HeatmapLook::default() };
        group.bench_function(format!("heatmap 32×32 {sampling:?}"), |b| {
            b.iter(|| offscreen.frame(|painter| render::heatmap(painter, SCREEN, &map, &analysis)));
        });
    }

    for count in [10_000, 100_000, 1_000_000] {
        let positions: Arc<[[f32; 2]]> = (0..count).map(|_| dice.random()).collect();
        let style = |class| PointStyle { class, ..PointStyle::default() };
        let styles = (0..count).map(|i| style((i % 8) as u8)).collect();
        let view = View::fit(&positions, SCREEN);
        let cloud = PointCloud { positions, styles };
        let analysis = PointLook::default();
        let frame = |cloud: &PointCloud| {
            offscreen.frame(|painter| render::points(painter, SCREEN, cloud, view, &analysis));
        };
        group.bench_function(format!("{count} points"), |b| b.iter(|| frame(&cloud)));
        group.bench_function(format!("{count} points, all moved"), |b| {
            b.iter(|| {
                frame(&PointCloud {
                    positions: cloud.positions.iter().copied().collect(),
                    ..cloud.clone()
                })
            });
        });
        // A tenth is selected, the rest is gray context.
        let dimmed = |i: usize| PointStyle { dimmed: !i.is_multiple_of(10), ..style(0) };
        let lassoed = PointCloud { styles: (0..count).map(dimmed).collect(), ..cloud.clone() };
        group.bench_function(format!("{count} points, a tenth selected"), |b| {
            b.iter(|| frame(&lassoed));
        });
    }
    group.finish();
    picking(criterion);
}

/// What a frame asks of the index over the points, without drawing.
fn picking(criterion: &mut Criterion) {
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let mut group = criterion.benchmark_group("pick");
    group.sample_size(10);
    for count in [10_000, 100_000, 1_000_000] {
        let positions: Arc<[[f32; 2]]> = (0..count).map(|_| dice.random()).collect();
        group.bench_function(format!("index of {count} points"), |b| {
            b.iter(|| Picker::new(Arc::clone(&positions)));
        });
        let picker = Picker::new(Arc::clone(&positions));
        group.bench_function(format!("hover over {count} points"), |b| {
            b.iter(|| picker.nearest(black_box([0.4, 0.6]), 0.01));
        });
        let corner = |k: u8| {
            let angle = std::f32::consts::TAU * f32::from(k) / 60.0;
            [0.5 + 0.2 * angle.cos(), 0.5 + 0.2 * angle.sin()]
        };
        let lasso: Vec<[f32; 2]> = (0..60).map(corner).collect();
        group.bench_function(format!("lasso in {count} points"), |b| {
            b.iter(|| picker.inside(black_box(&lasso)));
        });
    }
    group.finish();
}

criterion_group!(benches, drawing);
criterion_main!(benches);
