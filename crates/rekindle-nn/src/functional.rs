//! Layers and losses as functions with PyTorch's default options: `torch.nn.functional`. Options are set on the
//! values in [`loss`](crate::loss); layers' functions are methods of [`Tensor`].

use crate::loss::*;
use rekindle_tensor::Tensor;

macro_rules! losses {
    ($($(#[$doc:meta])* $name:ident: $Loss:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// If shapes, types or values do not fit.
        #[track_caller]
        pub fn $name(input: &Tensor, target: &Tensor) -> Tensor {
            $Loss::new().forward(input, target)
        }
    )*};
}

losses! {
    /// Mean binary cross-entropy of probabilities; see [`BCELoss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::binary_cross_entropy(&tensor([0.5]), &tensor([1.0])).item::<f32>(), 2f32.ln());
    /// ```
    binary_cross_entropy: BCELoss;
    /// Mean binary cross-entropy of logits; see [`BCEWithLogitsLoss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::binary_cross_entropy_with_logits(&tensor([0.0]), &tensor([1.0])).item::<f32>(), 2f32.ln());
    /// ```
    binary_cross_entropy_with_logits: BCEWithLogitsLoss;
    /// Mean cross-entropy of logits against class indices or probabilities; see [`CrossEntropyLoss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::cross_entropy(&tensor([[0.0, 0.0]]), &tensor([1])).item::<f32>(), 2f32.ln());
    /// ```
    cross_entropy: CrossEntropyLoss;
    /// Mean negative log-likelihood; see [`NLLLoss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::nll_loss(&tensor([[-0.5, -1.0]]), &tensor([1])).item::<f32>(), 1.0);
    /// ```
    nll_loss: NLLLoss;
    /// Mean squared error; see [`MSELoss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::mse_loss(&tensor([3.0]), &tensor([1.0])).item::<f32>(), 4.0);
    /// ```
    mse_loss: MSELoss;
    /// Mean absolute error; see [`L1Loss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::l1_loss(&tensor([3.0]), &tensor([1.0])).item::<f32>(), 2.0);
    /// ```
    l1_loss: L1Loss;
    /// Mean Huber loss; see [`HuberLoss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::huber_loss(&tensor([3.0]), &tensor([1.0])).item::<f32>(), 1.5);
    /// ```
    huber_loss: HuberLoss;
    /// Mean smooth L1 loss; see [`SmoothL1Loss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::smooth_l1_loss(&tensor([3.0]), &tensor([1.0])).item::<f32>(), 1.5);
    /// ```
    smooth_l1_loss: SmoothL1Loss;
    /// Mean pointwise Kullback-Leibler divergence; see [`KLDivLoss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::kl_div(&tensor([-2.0]), &tensor([1.0])).item::<f32>(), 2.0);
    /// ```
    kl_div: KLDivLoss;
    /// Mean hinge embedding loss; see [`HingeEmbeddingLoss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::hinge_embedding_loss(&tensor([0.25]), &tensor([-1.0])).item::<f32>(), 0.75);
    /// ```
    hinge_embedding_loss: HingeEmbeddingLoss;
    /// Mean multi-class margin loss; see [`MultiMarginLoss`].
    ///
    /// ```
    /// use rekindle_nn::functional as F;
    /// use rekindle_tensor::tensor;
    /// assert_eq!(F::multi_margin_loss(&tensor([[0.5, 0.5]]), &tensor([1])).item::<f32>(), 0.5);
    /// ```
    multi_margin_loss: MultiMarginLoss;
}
