import torch
from transformers import BertConfig, BertForSequenceClassification, PrinterCallback, Trainer, TrainingArguments, set_seed

set_seed(0)
config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
model = BertForSequenceClassification(config)
data = [{"input_ids": torch.arange(i, i + 6), "labels": torch.tensor(i % 2)} for i in range(16)]
args = TrainingArguments("out", num_train_epochs=1, per_device_train_batch_size=4, logging_steps=2, save_strategy="no",
                         report_to=[], use_cpu=True, disable_tqdm=True)
trainer = Trainer(model=model, args=args, train_dataset=data)
trainer.remove_callback(PrinterCallback)
result = trainer.train()
print(result.global_step, round(result.training_loss, 5))
torch.save({k: v for k, v in model.state_dict().items()}, "bert.pt")
