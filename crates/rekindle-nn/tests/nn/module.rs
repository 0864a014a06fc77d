//! Networks of plain structs: names, printing, summary, training flags, state.

use rekindle_nn::{
    Buffer, Entry, Linear, Mode, Module, Parameters, ReLU, Sequential, StateDict, parameter, sequential,
    summary,
};
use rekindle_tensor::random::{Generator, with_default, with_generator};
use rekindle_tensor::{Tensor, tensor};

/// One of everything that a field can be.
#[derive(Parameters)]
struct Everything {
    body: Sequential,
    blocks: Vec<Linear>,
    pair: (Linear, ReLU),
    extra: Option<Linear>,
    none: Option<Linear>,
    activation: Box<dyn Module>,
    scale: Tensor,
    offset: Buffer,
    mode: Mode,
    width: usize,
    sizes: Vec<usize>,
    #[parameters(skip)]
    _secret: std::collections::HashMap<u8, u8>,
}

impl Module for Everything {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = self.body.forward(x);
        for block in &self.blocks {
            x = self.activation.forward(&block.forward(&x));
        }
        let x = self.pair.1.forward(&self.pair.0.forward(&x));
        x * &self.scale + &*self.offset
    }
}

fn everything() -> Everything {
    Everything {
        body: sequential![Linear::new(4, 3), sequential![ReLU, Linear::new(3, 3).bias(false)]],
        blocks: vec![Linear::new(3, 3), Linear::new(3, 3)],
        pair: (Linear::new(3, 2), ReLU),
        extra: Some(Linear::new(2, 2)),
        none: None,
        activation: Box::new(ReLU),
        scale: parameter(Tensor::ones([2])),
        offset: Buffer(Tensor::zeros([2])),
        mode: Mode::default(),
        width: 3,
        sizes: vec![4, 3],
        _secret: Default::default(),
    }
}

#[test]
fn names_are_pytorchs() {
    let names: Vec<String> = everything().named_parameters().into_iter().map(|(name, _)| name).collect();
    let expected = "body.0.weight body.0.bias body.1.1.weight blocks.0.weight blocks.0.bias blocks.1.weight \
                    blocks.1.bias pair.0.weight pair.0.bias extra.weight extra.bias scale";
    assert_eq!(names.join(" "), expected);
    assert_eq!(everything().named_buffers()[0].0, "offset");
}

#[test]
fn printing_is_pytorchs() {
    let net = everything();
    assert_eq!((net.width, net.sizes.len(), net.none.is_some()), (3, 2, false));
    assert_eq!(
        net.to_string(),
        "\
Everything(
  (body): Sequential(
    (0): Linear(in_features=4, out_features=3, bias=True)
    (1): Sequential(
      (0): ReLU()
      (1): Linear(in_features=3, out_features=3, bias=False)
    )
  )
  (blocks): ModuleList(
    (0-1): 2 x Linear(in_features=3, out_features=3, bias=True)
  )
  (pair): ModuleList(
    (0): Linear(in_features=3, out_features=2, bias=True)
    (1): ReLU()
  )
  (extra): Linear(in_features=2, out_features=2, bias=True)
  (activation): ReLU()
)"
    );
}

#[test]
fn the_summary_shows_every_layer_and_leaves_no_trace() {
    let net = everything();
    let mut generator = Generator::seeded(1);
    let text = with_generator(&mut generator, || summary(&net, [4]).to_string());
    assert!(generator == Generator::seeded(1), "the random stream stands where it stood");
    assert!(net.mode.is_training());
    assert_eq!(
        text,
        "\
Layer              Output shape  Parameters
-------------------------------------------
Everything         [None, 2]              2
body.0 (Linear)    [None, 3]             15
body.1.0 (ReLU)    [None, 3]              0
body.1.1 (Linear)  [None, 3]              9
blocks.0 (Linear)  [None, 3]             12
blocks.1 (Linear)  [None, 3]             12
pair.0 (Linear)    [None, 2]              8
pair.1 (ReLU)      [None, 2]              0
extra (Linear)     -                      6
activation (ReLU)  [None, 3]              0
-------------------------------------------
Total parameters: 64
Trainable parameters: 64
Size: 264 bytes"
    );
}

#[test]
fn frozen_parameters_are_counted_apart() {
    let net = sequential![Linear::new(100, 100), Linear::new(100, 1)];
    net[0].requires_grad_(false);
    let summary = summary(&net, [100]);
    assert_eq!((summary.total, summary.trainable), (10_201, 101));
    assert!(summary.to_string().contains("Total parameters: 10,201"));
}

#[test]
fn train_and_eval_reach_every_flag() {
    let net = everything();
    net.eval();
    assert!(!net.mode.is_training());
    net.train();
    assert!(net.mode.is_training());
}

#[test]
fn a_shared_layer_is_one_set_of_parameters() {
    let first = Linear::new(2, 2);
    let tied = Linear { weight: first.weight.clone(), bias: None };
    let net = sequential![first, tied];
    assert_eq!(net.parameters().len(), 2);
    assert_eq!(net.state_dict().names().collect::<Vec<_>>(), ["0.weight", "0.bias", "1.weight"]);
}

#[test]
fn a_state_dict_keeps_its_values_when_training_goes_on() {
    let layer = Linear::new(2, 1);
    let before = layer.state_dict();
    rekindle_tensor::no_grad(|| _ = layer.weight.fill_(7.0));
    assert_ne!(before.get("weight").unwrap().to_vec::<f32>(), [7.0, 7.0]);
    layer.load_state_dict(&before).unwrap();
    assert!(layer.weight.detach().bitwise_eq(before.get("weight").unwrap()));
    assert!(layer.weight.requires_grad());
}

#[test]
fn a_strange_state_dict_is_refused_with_all_differences() {
    let net = sequential![Linear::new(2, 3), ReLU, Linear::new(3, 1)];
    let mut dict = net.state_dict();
    dict.insert("fc.weight", tensor([1.0]));
    dict.insert("2.weight", Tensor::zeros([1, 4]));
    let dict: StateDict =
        dict.iter().filter(|(name, _)| *name != "0.bias").map(|(n, t)| (n, t.clone())).collect();
    let before = net.state_dict();
    assert_eq!(
        net.load_state_dict(&dict).unwrap_err().to_string(),
        "state_dict does not fit: missing: 0.bias; unexpected: fc.weight; \
         shapes differ: 2.weight is [1, 4], expected [1, 3]"
    );
    let after = net.state_dict();
    assert!(before.iter().zip(after.iter()).all(|((_, a), (_, b))| a.bitwise_eq(b)));
}

#[test]
fn layers_draw_in_pytorchs_order() {
    // torch.manual_seed(0); nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)); torch.rand(1)
    let (weight, next) = with_generator(&mut Generator::seeded(0), || {
        let net = sequential![Linear::new(2, 2), ReLU, Linear::new(2, 1)];
        let mut next = [0f32];
        with_default(|g| g.uniform(&mut next, 0.0, 1.0));
        (net.get_parameter("2.weight").unwrap().to_vec::<f32>(), next)
    });
    assert_eq!(weight, [-0.014010034, 0.5606575]);
    assert_eq!(next, [0.6323063]);
}

/// Where and with what message `f` panics.
fn panic_of(f: impl FnOnce()) -> (String, u32, String) {
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    use std::sync::{Arc, Mutex};
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let place = Arc::new(Mutex::new(None));
    let (seen, thread, old) = (place.clone(), std::thread::current().id(), take_hook());
    set_hook(Box::new(move |info| {
        // Other tests may panic at the same time.
        if let (true, Some(l)) = (std::thread::current().id() == thread, info.location()) {
            *seen.lock().unwrap() = Some((l.file().to_string(), l.line()));
        }
    }));
    let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
    set_hook(old);
    let (file, line) = place.lock().unwrap().take().unwrap();
    (file, line, payload.downcast_ref::<String>().unwrap().clone())
}

#[test]
fn a_mistake_points_at_the_users_line() {
    let (layer, x) = (Linear::new(3, 1), Tensor::zeros([5, 4]));
    let (file, line, message) = panic_of(|| _ = layer.forward(&x));
    assert!(file.ends_with("tests/nn/module.rs") && line == line!() - 1, "{file}:{line}");
    assert!(
        message.starts_with("linear: input [5, 4] does not fit weight [1, 3] (4 vs 3 features)"),
        "{message}"
    );
}

#[test]
fn a_mistake_in_a_sequential_names_the_layer() {
    let (net, x) =
        (sequential![ReLU, sequential![Linear::new(2, 3), Linear::new(4, 1)]], Tensor::zeros([5, 2]));
    let (file, line, message) = panic_of(|| _ = net.forward(&x));
    assert!(file.ends_with("tests/nn/module.rs") && line == line!() - 1, "{file}:{line}");
    assert!(message.ends_with(" (layer 1, Linear) (layer 1, Sequential)"), "{message}");
    let error = rekindle_tensor::check(|| net.forward(&x)).unwrap_err();
    assert_eq!(error, message);
}

#[test]
fn a_visitor_can_be_written_by_hand() {
    struct Own(Linear);
    impl Parameters for Own {
        fn visit(&self, visitor: &mut rekindle_nn::Visitor<'_>) {
            visitor.field("inner", &self.0);
        }
    }
    let (own, mut modules) = (Own(Linear::new(1, 1)), Vec::new());
    own.walk(&mut |name, entry| {
        if let Entry::Module(m) = entry {
            modules.push((name.to_string(), m.type_name()));
        }
    });
    assert_eq!(modules, [("inner".to_string(), "Linear".to_string())]);
    assert_eq!((own.type_name().as_str(), own.num_parameters()), ("Own", 2));
}
