"""A job whose every sample has an id of its own, so that a row says how often it was trained."""

JOB = """name: "ledger"
seed: 7
train_input_path: "train.csv"
eval_input_path: "eval.csv"

train_config {
  optimizer_config { rowwise_adagrad_optimizer {
    learning_rate { constant_learning_rate { learning_rate: 0.1 } } } }
  optimizer_config { sgd_optimizer {
    learning_rate { constant_learning_rate { learning_rate: 0.01 } } } }
}

data_config {
  with_header: true
  batch_size: 32
  partition_size: 4000
  shuffle_buffer_size: 1000
  input_fields { input_name: "sample" }
  input_fields { input_name: "colour" }
  input_fields { input_name: "click" input_type: INT64 }
  label_fields: "click"
}

feature_config {
  features { input_names: "sample" embedding_dim: 1 }
  features { input_names: "colour" embedding_dim: 1 }
}

model_config {
  model_class: "LR"
  feature_groups { group_name: "all" feature_names: ["sample", "colour"] }
  lr { task_towers { tower_name: "click" label_name: "click" } }
}
"""

EVAL_SAMPLES = 500
COLOURS = ("red", "green", "blue", "grey", "white", "black", "brown")


def write_samples(path, first, count):
    with open(path, "w", encoding="ascii") as out:
        out.write("sample,colour,click\n")
        for number in range(first, first + count):
            # Colours differ in how often they are clicked.
            colour = number * 13 % len(COLOURS)
            click = int(number * 7919 % 1000 < 100 * (colour + 1))
            out.write(f"s{number},{COLOURS[colour]},{click}\n")


def write_job(folder, samples):
    """Writes the job and its data into `folder`; returns the path of the job file."""
    write_samples(folder / "train.csv", 0, samples)
    write_samples(folder / "eval.csv", samples, EVAL_SAMPLES)
    path = folder / "job.textproto"
    path.write_text(JOB)
    return path
