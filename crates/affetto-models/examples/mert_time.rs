//! How long a MERT of a published size takes for sound: `cargo run --release -p affetto-models --example mert_time --
//! [95 | 330 | FOLDER] [seconds] [int8]`. Without a folder the weights are made up.

use std::collections::HashMap;
use std::time::Instant;

use affetto_engine::{Checkpoint, Precision, threads};
use affetto_models::ModelFolder;
use affetto_models::mert::{Mert, MertConfig};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::json;

/// The tensors of a configuration, with small numbers in them.
fn made_up(config: &MertConfig) -> Checkpoint {
    let (d, ffn) = (config.hidden_size, config.intermediate_size);
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    let mut inputs = 1;
    for (i, c) in config.convolutions.iter().enumerate() {
        shapes.push((format!("feature_extractor.conv_layers.{i}.conv.weight"), vec![c.outputs, inputs, c.kernel]));
        inputs = c.outputs;
    }
    let mut both = |name: String, weight: Vec<usize>| {
        let bias = vec![weight[0]];
        shapes.extend([(format!("{name}.weight"), weight), (format!("{name}.bias"), bias)]);
    };
    both("feature_extractor.conv_layers.0.layer_norm".into(), vec![config.convolutions[0].outputs]);
    both("feature_projection.layer_norm".into(), vec![inputs]);
    both("feature_projection.projection".into(), vec![d, inputs]);
    both("encoder.layer_norm".into(), vec![d]);
    for i in 0..config.num_hidden_layers {
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            both(format!("encoder.layers.{i}.attention.{part}"), vec![d, d]);
        }
        both(format!("encoder.layers.{i}.feed_forward.intermediate_dense"), vec![ffn, d]);
        both(format!("encoder.layers.{i}.feed_forward.output_dense"), vec![d, ffn]);
        both(format!("encoder.layers.{i}.layer_norm"), vec![d]);
        both(format!("encoder.layers.{i}.final_layer_norm"), vec![d]);
    }
    let (groups, kernel) = (config.num_conv_pos_embedding_groups, config.num_conv_pos_embeddings);
    shapes.push(("encoder.pos_conv_embed.conv.weight_g".into(), vec![1, 1, kernel]));
    shapes.push(("encoder.pos_conv_embed.conv.weight_v".into(), vec![d, d / groups, kernel]));
    shapes.push(("encoder.pos_conv_embed.conv.bias".into(), vec![d]));
    let most = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).max().unwrap_or(0);
    let numbers: Vec<u8> = (0..most).flat_map(|i| (((i * 7919) % 1013) as f32 / 1e4 - 0.05).to_le_bytes()).collect();
    let views: HashMap<String, TensorView> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let bytes = 4 * shape.iter().product::<usize>();
            (name, TensorView::new(Dtype::F32, shape, &numbers[..bytes]).expect("as many bytes as numbers"))
        })
        .collect();
    Checkpoint::from_bytes("made up", serialize(views, None).expect("tensors")).expect("tensors")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let model = args.next().unwrap_or_else(|| "95".into());
    let seconds: usize = args.next().map_or(Ok(5), |n| n.parse())?;
    let precision = if args.next().as_deref() == Some("int8") { Precision::Int8 } else { Precision::F32 };
    let start = Instant::now();
    let net = if ["95", "330"].contains(&model.as_str()) {
        let large = json!({
            "model_type": "mert_model", "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
            "intermediate_size": 4096, "do_stable_layer_norm": true
        });
        let small = json!({ "model_type": "mert_model" });
        let config = MertConfig::from_json(if model == "95" { &small } else { &large }, None)?;
        Mert::from_parts(&made_up(&config), config, precision)?
    } else {
        Mert::from_folder(&ModelFolder::open(&model)?, precision)?
    };
    println!("{} threads, loaded in {:.2} s", threads::limit(), start.elapsed().as_secs_f64());
    let rate = net.sample_rate() as usize;
    let sound: Vec<f32> = (0..seconds * rate).map(|i| ((i * 7919) % 1013) as f32 / 1013.0 - 0.5).collect();
    let last = net.config().num_hidden_layers;
    for layers in [vec![0], vec![last / 3], vec![last]] {
        let mut best = f64::INFINITY;
        let mut frames = 0;
        for _ in 0..3 {
            let start = Instant::now();
            frames = net.long(&sound, &layers)?[0].frames;
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("layer {:>2}, {frames} frames: {best:.3} s, {:.1} × real time", layers[0], seconds as f64 / best);
    }
    Ok(())
}
