"""transformers at a tiny size, from scratch: with the Trainer, with Accelerate, or by hand."""

import argparse
import json
import logging
import tempfile

import torch
import transformers

import stagewatch

parser = argparse.ArgumentParser()
parser.add_argument("--loop", choices=["trainer", "hand", "accelerate"], default="hand")
parser.add_argument("--task", choices=["classify", "causal"], default="classify")
parser.add_argument("--steps", type=int, default=40)
options = parser.parse_args()

logging.getLogger("transformers").setLevel(logging.ERROR)
torch.manual_seed(0)
EXAMPLES, LENGTH, WORDS = 64, 10, 40
ids = torch.randint(1, WORDS, (EXAMPLES, LENGTH))
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
if options.task == "causal":
    config = transformers.GPT2Config(vocab_size=WORDS, n_positions=16, n_embd=32, n_layer=2, n_head=2)
    model = transformers.GPT2LMHeadModel(config)
    labels = ids.clone()
else:
    config = transformers.BertConfig(vocab_size=WORDS, max_position_embeddings=16, num_labels=2, **sizes)
    model = transformers.BertForSequenceClassification(config)
    labels = (ids.float().mean(dim=1) > WORDS / 2).long()

# The mean over examples of equal length is the loss of all of them at once; without dropout, as readings are.
model.eval()
with torch.no_grad():
    print(json.dumps({"step": 0, "name": "loss.probe", "value": float(model(input_ids=ids, labels=labels).loss)}), flush=True)
model.train()

if options.loop == "trainer":

    class Watch(transformers.TrainerCallback):
        run = None

        def on_train_begin(self, args, state, control, model=None, optimizer=None, **kwargs):
            self.run = stagewatch.attach(model, optimizer, loss="cross-entropy", train=(ids, labels), name="trainer", batch_size=16)

        def on_log(self, args, state, control, logs=None, **kwargs):
            if "loss" in (logs or {}):
                self.run.step(loss=logs["loss"])

        def on_train_end(self, args, state, control, **kwargs):
            self.run.finish()

    rows = [{"input_ids": ids[i], "labels": labels[i]} for i in range(EXAMPLES)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, max_steps=options.steps, per_device_train_batch_size=16, logging_steps=1, report_to=[],
            save_strategy="no", disable_tqdm=True, use_cpu=True, learning_rate=1e-3,
        )
        transformers.Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[Watch()]).train()
else:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = transformers.get_linear_schedule_with_warmup(optimizer, 10, options.steps)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(ids, labels), batch_size=16, shuffle=True)
    accelerator = None
    if options.loop == "accelerate":
        import accelerate

        accelerator = accelerate.Accelerator(cpu=True)
        model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
    run = stagewatch.attach(model, optimizer, loss="cross-entropy", train=(ids, labels), name=options.loop, batch_size=16)
    done = 0
    while done < options.steps:
        for batch, targets in loader:
            if done == options.steps:
                break
            loss = model(input_ids=batch, labels=targets).loss
            if accelerator is None:
                loss.backward()
            else:
                accelerator.backward(loss)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            run.step(loss=loss)
            done += 1
    run.finish()
