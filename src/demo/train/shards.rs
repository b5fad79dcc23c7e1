//! A batch's gradients, computed in parts side by side.

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};

/// Gradients of the mean over `parts` of a loss, and what else `of_part` returned for each.
///
/// Each part is computed on a thread of its own with a graph of its own: small products leave cores
/// idle, whole graphs do not. The gradients are added in order, so that the numbers do not depend on
/// the threads' pace.
///
/// # Errors
/// The first that `of_part` returns.
pub(in crate::demo) fn gradients<M, P, L>(
    module: &M,
    parts: &[P],
    device: &Device,
    of_part: impl Fn(&M, &P) -> anyhow::Result<(Tensor<1>, L)> + Sync,
) -> anyhow::Result<(GradientsParams, Vec<L>)>
where
    M: Module + Sync,
    P: Sync,
    L: Send,
{
    let share = 1.0 / parts.len().max(1) as f32;
    let part = |part: &P| -> anyhow::Result<(GradientsParams, L)> {
        let module = module.clone().fork(device);
        let (loss, report) = of_part(&module, part)?;
        let gradients = (loss * share).backward();
        Ok((GradientsParams::from_grads(gradients, &module), report))
    };
    let results: Vec<anyhow::Result<_>> = std::thread::scope(|scope| {
        let part = &part;
        let threads: Vec<_> = parts.iter().map(|p| scope.spawn(move || part(p))).collect();
        let panicked = |_| Err(anyhow::anyhow!("a training thread panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    let (mut accumulator, mut reports) = (GradientsAccumulator::new(), Vec::new());
    for result in results {
        let (gradients, report) = result?;
        accumulator.accumulate(module, gradients);
        reports.push(report);
    }
    Ok((accumulator.grads(), reports))
}
