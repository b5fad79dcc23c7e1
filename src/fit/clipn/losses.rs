use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

/// Inside the root of the text semantic-opposite loss, as released, so that it has a slope at 0.
const UNDER_ROOT: f32 = 1e-4;

/// The parts of the loss, `[1]` each.
#[derive(Clone, Debug)]
pub struct ClipnLosses {
    /// Image-text binary-opposite, of matching pairs: the text must not be denied.
    pub matching: Tensor<1>,
    /// Image-text binary-opposite, of all others: the text must be denied.
    pub others: Tensor<1>,
    /// Text semantic-opposite: what a text's two sides say must be opposite.
    pub opposite: Tensor<1>,
    /// Half of their sum: what is minimised.
    pub total: Tensor<1>,
}

/// CLIPN's losses of `n` pairs. For image i and text j,
/// `p_no(i, j) = exp(s f_i·h_j) / (exp(s f_i·g_j) + exp(s f_i·h_j))`:
///
/// ```text
/// matching = −mean over i of log (1 − p_no(i, i))
/// others   = −mean over i ≠ j of log p_no(i, j)
/// opposite = mean over i of 2 − √(2 − 2 g_i·h_i + 10⁻⁴)
/// ```
///
/// The released code takes the logarithm of a softmax, which is infinite where logits lie 104 apart;
/// here it is a log-sigmoid, equal elsewhere. With one pair there are no others, and their loss is 0.
///
/// # Shapes
/// - image, yes, no: `[n, joint]`, of unit length
pub fn losses(image: Tensor<2>, yes: Tensor<2>, no: Tensor<2>, scale: f32) -> ClipnLosses {
    let [n, _] = image.dims();
    let device = image.device();
    // log p_no of every pair is the log-sigmoid of this, log (1 − p_no) that of its opposite.
    let denied = image.matmul((no.clone() - yes.clone()).transpose()).mul_scalar(scale);
    let same = Tensor::<2>::eye(n, &device);
    let apart = same.clone().neg() + 1.0;
    let pairs = (n * n - n).max(1) as f32;
    let matching = (log_sigmoid(denied.clone().neg()) * same).sum().neg() / n as f32;
    let others = (log_sigmoid(denied) * apart).sum().neg() / pairs;
    let cosine = (yes * no).sum_dim(1);
    let opposite = ((cosine * -2.0 + (2.0 + UNDER_ROOT)).sqrt().neg() + 2.0).mean();
    let total = (matching.clone() + others.clone() + opposite.clone()) * 0.5;
    ClipnLosses { matching, others, opposite, total }
}
