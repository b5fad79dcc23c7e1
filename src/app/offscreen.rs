//! The window's content, drawn without a window.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use eframe::egui::{self, FullOutput, Pos2, RawInput, Rect, Vec2, ViewportId};
use eframe::egui_wgpu::{
    RenderState, RendererOptions, ScreenDescriptor, WgpuConfiguration, WgpuSetup,
    WgpuSetupCreateNew, WgpuSetupExisting, wgpu,
};

use super::App;
use crate::fs;
use crate::gpu::{self, DeviceChoice};
use crate::image::png;
use crate::panels::UserCommand;
use crate::ui::system_fonts;
use crate::worker::FitState;

/// How long images and model may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Frames without news after which nothing more is to come.
const STEADY: u32 = 4;
const BYTES_PER_PIXEL: u32 = 4;

/// The device that the network uses, so that both share it. Where the network runs on the CPU, or that
/// device cannot be opened, egui's own choice: Burn's device has a thread that wakes up thousands of
/// times a second.
pub fn wgpu_setup(choice: DeviceChoice) -> WgpuSetup {
    if !gpu::is_gpu(choice) {
        return own_setup();
    }
    match gpu::shared() {
        Ok((_, setup)) => WgpuSetup::Existing(WgpuSetupExisting {
            instance: setup.instance.clone(),
            adapter: setup.adapter.clone(),
            device: setup.device.clone(),
            queue: setup.queue.clone(),
        }),
        Err(error) => {
            log::warn!("{error}");
            own_setup()
        }
    }
}

/// A device of the window's own; OpenGL only where there is nothing else.
fn own_setup() -> WgpuSetup {
    let mut own = WgpuSetupCreateNew::without_display_handle();
    if wgpu::Backends::from_env().is_none() && !gpu::adapters().is_empty() {
        own.instance_descriptor.backends = wgpu::Backends::PRIMARY;
    }
    WgpuSetup::CreateNew(own)
}

/// A renderer without a window, on the device that the network would share.
///
/// # Errors
/// If there is no adapter.
pub fn render_state(choice: DeviceChoice) -> anyhow::Result<RenderState> {
    let setup = wgpu_setup(choice);
    let instance = burn::tensor::read_sync(setup.new_instance());
    let configuration = WgpuConfiguration { wgpu_setup: setup, ..Default::default() };
    let options = RendererOptions { dithering: false, ..Default::default() };
    let state = RenderState::create(&configuration, &instance, None, options);
    let state = burn::tensor::read_sync(state).context("no adapter to draw with")?;
    crate::render::install(&state)?;
    Ok(state)
}

/// What is drawn on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sheet {
    /// Its size, in points.
    pub size: Vec2,
    /// The scale of the screen that it stands for.
    pub pixels_per_point: f32,
}

/// Runs the app until all is there, does what is to be done `then`, one after the other and each to
/// its end, and writes what its window would show.
///
/// # Errors
/// If the adapter fails, the file cannot be written, or images take longer than ten minutes.
pub fn screenshot(
    app: &mut App,
    ctx: &egui::Context,
    choice: DeviceChoice,
    sheet: Sheet,
    (then, out): (Vec<UserCommand>, &Path),
) -> anyhow::Result<()> {
    let mut then = then.into_iter();
    let screen = Screen { state: render_state(choice)?, sheet, started: Instant::now() };
    // Frames after the last event let layouts settle and animations end.
    let mut calm = 0;
    while calm < 2 * STEADY {
        if screen.started.elapsed() > PATIENCE {
            bail!("the images were not ready after {} s", PATIENCE.as_secs());
        }
        let output = screen.frame(app, ctx);
        screen.upload(&output);
        let model = app.session().model();
        if let (None, None, Some(error)) = (&model.info, &model.loading, &model.error) {
            // Images would wait for it for ever.
            bail!("{error}");
        }
        let at_work = app.session().fitting.state == FitState::Running;
        calm = if app.is_settled() && !at_work { calm + 1 } else { 0 };
        if calm == STEADY
            && let Some(command) = then.next()
        {
            app.send(command);
            calm = 0;
        }
        std::thread::sleep(Duration::from_millis(if calm > 0 { 40 } else { 10 }));
    }
    let output = screen.frame(app, ctx);
    screen.upload(&output);
    let pixels = screen.draw(ctx, output)?;
    fs::write(out, png(&pixels)?).with_context(|| format!("cannot write {}", out.display()))
}

/// What `draw` draws on a sheet.
///
/// # Errors
/// If there is no adapter, or it fails.
pub fn picture(
    sheet: Sheet,
    mut draw: impl FnMut(&mut egui::Ui),
) -> anyhow::Result<image::RgbaImage> {
    let state = render_state(DeviceChoice::Auto)?;
    let screen = Screen { state, sheet, started: Instant::now() };
    let ctx = egui::Context::default();
    system_fonts::install(&ctx, true);
    let output = ctx.run_ui(screen.input(), |ui| draw(ui));
    screen.upload(&output);
    screen.draw(&ctx, output)
}

struct Screen {
    state: RenderState,
    sheet: Sheet,
    started: Instant,
}

impl Screen {
    fn input(&self) -> RawInput {
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, self.sheet.size)),
            time: Some(self.started.elapsed().as_secs_f64()),
            max_texture_side: Some(self.state.device.limits().max_texture_dimension_2d as usize),
            focused: true,
            ..Default::default()
        };
        let viewport = input.viewports.entry(ViewportId::ROOT).or_default();
        viewport.native_pixels_per_point = Some(self.sheet.pixels_per_point);
        input
    }

    fn frame(&self, app: &mut App, ctx: &egui::Context) -> FullOutput {
        ctx.run_ui(self.input(), |ui| {
            app.tick(&ui.ctx().clone());
            app.draw(ui);
        })
    }

    fn upload(&self, output: &FullOutput) {
        let mut renderer = self.state.renderer.write();
        let mut textures: Vec<_> = output.textures_delta.set.iter().collect();
        textures.sort_by_key(|(id, _)| **id);
        for (id, deltas) in textures {
            for delta in deltas {
                renderer.update_texture(&self.state.device, &self.state.queue, *id, delta);
            }
        }
    }

    fn draw(&self, ctx: &egui::Context, output: FullOutput) -> anyhow::Result<image::RgbaImage> {
        let RenderState { device, queue, renderer, target_format, .. } = &self.state;
        let pixels = self.sheet.size * output.pixels_per_point;
        let [width, height] = [pixels.x.round() as u32, pixels.y.round() as u32];
        let screen = ScreenDescriptor {
            size_in_pixels: [width, height],
            pixels_per_point: output.pixels_per_point,
        };
        let shapes = ctx.tessellate(output.shapes, output.pixels_per_point);
        let extent = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("screenshot"),
            size: extent,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: *target_format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut renderer = renderer.write();
        let mut commands = renderer.update_buffers(device, queue, &mut encoder, &shapes, &screen);
        {
            let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("screenshot"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                        store: wgpu::StoreOp::Store,
                    },
                    depth_slice: None,
                })],
                ..Default::default()
            });
            renderer.render(&mut pass.forget_lifetime(), &shapes, &screen);
        }
        let row = (width * BYTES_PER_PIXEL).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("screenshot"),
            size: u64::from(row) * u64::from(height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(row),
            rows_per_image: None,
        };
        let target = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(texture.as_image_copy(), target, extent);
        commands.push(encoder.finish());
        queue.submit(commands);
        self.read(&buffer, [width, height], row)
    }

    fn read(
        &self,
        buffer: &wgpu::Buffer,
        [width, height]: [u32; 2],
        row: u32,
    ) -> anyhow::Result<image::RgbaImage> {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        buffer.slice(..).map_async(wgpu::MapMode::Read, move |result| {
            // The receiver waits below.
            drop(sender.send(result));
        });
        self.state.device.poll(wgpu::PollType::wait_indefinitely())?;
        receiver.recv()??;
        let bytes = buffer.slice(..).get_mapped_range()?;
        let line = (width * BYTES_PER_PIXEL) as usize;
        let pixels = bytes.chunks_exact(row as usize).flat_map(|row| row[..line].iter().copied());
        let mut pixels: Vec<u8> = pixels.collect();
        let format = self.state.target_format;
        if matches!(format, wgpu::TextureFormat::Bgra8Unorm | wgpu::TextureFormat::Bgra8UnormSrgb) {
            pixels.chunks_exact_mut(4).for_each(|pixel| pixel.swap(0, 2));
        }
        image::RgbaImage::from_raw(width, height, pixels).context("the picture has a wrong size")
    }
}
