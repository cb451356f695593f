"""Scripts that train, each with what every tracker has for it: `GIVEN` in a script is what a tool is handed.

Where a tool has nothing, it is fed by hand, as its users would; where it can't be, it is left out. So is W&B for Ray:
its callback starts an actor of its own, which finds only what is installed for the workers.
"""

from dataclasses import dataclass
from typing import Final

Way = tuple[str, str, str]  # what stands before the training, what `GIVEN` is, what stands behind it
TOOLS: Final = ("runlore", "mlflow", "wandb", "trackio")


@dataclass(frozen=True)
class Script:
    """What is trained, and how each tool follows it; `is_other` for the Python that has Ray and Spark."""

    told: str
    imports: str
    train: str
    ways: dict[str, Way]
    is_other: bool = False


INIT = {
    "wandb": "import wandb; run = wandb.init(project='bench')",
    "trackio": "import trackio; trackio.init(project='bench', embed=False)",
}
END = {"wandb": "wandb.finish()", "trackio": "trackio.finish()"}


def ways(nothing: str, autolog: str, **others: tuple[str, str]) -> dict[str, Way]:
    """Return the ways of all tools; of `others` each has what stands before the training, and what it is given."""
    found = {"bare": ("", nothing, ""), "runlore": (f"import runlore; runlore.autolog({autolog!r})", nothing, "")}
    for tool, (before, given) in others.items():
        found[tool] = (f"{INIT.get(tool, '')}\n{before}", given, END.get(tool, ""))
    return found


TABLE = """
import numpy as np
x = np.random.default_rng(0).normal(size=(20_000, 20)).astype("float32")
y = (x[:, 0] * x[:, 1] + x[:, 2] + x[:, 3] ** 3 > 0).astype(int)
y[::3] = np.arange(len(y[::3])) % 2  # so that a second set stops the training
"""
PER_ROUND = """
class ByHand{base}:
    def {hook}:
        trackio.log({numbers})
        {result}
"""

XGBOOST = Script(
    "rounds until two sets stop it, the model saved",
    TABLE + "import xgboost",
    """
train, test = xgboost.DMatrix(x[:15000], y[:15000]), xgboost.DMatrix(x[15000:], y[15000:])
stop = xgboost.callback.EarlyStopping(rounds=10)
model = xgboost.train({"objective": "binary:logistic"}, train, 200, evals=[(train, "train"), (test, "test")],
                      verbose_eval=False, callbacks=[stop, *GIVEN])
model.save_model("model.json")
""",
    ways(
        "[]", "xgboost",
        mlflow=("import mlflow; mlflow.xgboost.autolog()", "[]"),
        wandb=("from wandb.integration.xgboost import WandbCallback", "[WandbCallback(log_model=True)]"),
        trackio=(
            PER_ROUND.format(
                base="(xgboost.callback.TrainingCallback)", hook="after_iteration(self, model, epoch, log)",
                numbers="{f'{s}/{m}': v[-1] for s, ms in log.items() for m, v in ms.items()}", result="return False",
            ), "[ByHand()]",
        ),
    ),
)  # fmt: skip

LIGHTGBM = Script(
    "rounds until two sets stop it, the model saved",
    TABLE + "import lightgbm",
    """
train = lightgbm.Dataset(x[:15000], y[:15000])
sets = [train, lightgbm.Dataset(x[15000:], y[15000:], reference=train)]
model = lightgbm.train({"objective": "binary", "verbosity": -1}, train, 200, valid_sets=sets, valid_names=["a", "b"],
                       callbacks=[lightgbm.early_stopping(10, verbose=False), *GIVEN])
model.save_model("model.txt")
""",
    ways(
        "[]", "lightgbm",
        mlflow=("import mlflow; mlflow.lightgbm.autolog()", "[]"),
        wandb=("from wandb.integration.lightgbm import wandb_callback", "[wandb_callback()]"),
        trackio=(
            PER_ROUND.format(
                base="", hook="__call__(self, env)", result="return None",
                numbers="{f'{item[0]}/{item[1]}': item[2] for item in env.evaluation_result_list}",
            ), "[ByHand()]",
        ),
    ),
)  # fmt: skip

CATBOOST = Script(
    "rounds until a second set stops it, the model saved",
    TABLE + "import catboost",
    """
model = catboost.CatBoostClassifier(iterations=200, verbose=0, thread_count=1, allow_writing_files=False)
model.fit(x[:15000], y[:15000], eval_set=(x[15000:], y[15000:]), early_stopping_rounds=10, callbacks=GIVEN)
model.save_model("model.cbm")
""",
    ways(
        "None", "catboost",
        wandb=("from wandb.integration.catboost import WandbCallback", "[WandbCallback()]"),
        trackio=(
            PER_ROUND.format(
                base="", hook="after_iteration(self, info)", result="return True",
                numbers="{f'{s}/{m}': v[-1] for s, ms in info.metrics.items() for m, v in ms.items()}",
            ), "[ByHand()]",
        ),
    ),
)  # fmt: skip

OPTUNA = Script(
    "100 trials of two params, one report each",
    "import optuna; optuna.logging.set_verbosity(optuna.logging.ERROR)",
    """
def objective(trial):
    value = trial.suggest_float("x", -1, 1) * trial.suggest_int("y", 0, 5)
    trial.report(value, 0)
    return value

study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=100, callbacks=GIVEN)
""",
    ways(
        "[]", "optuna",
        mlflow=("from optuna_integration import MLflowCallback", "[MLflowCallback()]"),
        wandb=("from optuna_integration import WeightsAndBiasesCallback", "[WeightsAndBiasesCallback()]"),
        trackio=("", "[lambda study, trial: trackio.log({**trial.params, 'value': trial.value})]"),
    ),
)  # fmt: skip

TORCH = Script(
    "2,000 steps of a small network",
    "import torch; torch.set_num_threads(1); torch.manual_seed(0)",
    """
x = torch.randn(1600, 20)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True)), batch_size=16)
model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
log = GIVEN
for epoch in range(20):
    for batch, target in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(batch), target)
        loss.backward()
        optimizer.step()
        log({"loss": loss.item()})
torch.save(model.state_dict(), "model.pt")
""",
    ways(
        "lambda numbers: None", "torch",
        mlflow=("import mlflow, itertools; count = itertools.count()",
                "lambda numbers: mlflow.log_metrics(numbers, step=next(count))"),
        wandb=("", "wandb.log"),
        trackio=("", "trackio.log"),
    ),
)  # fmt: skip

ACCELERATE = Script(
    "500 steps with accelerate, logged each",
    "import torch, accelerate; torch.set_num_threads(1); torch.manual_seed(0)",
    """
accelerator = accelerate.Accelerator(cpu=True, log_with=GIVEN)
model = torch.nn.Linear(20, 1)
model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=1e-3))
accelerator.init_trackers("bench", config={"lr": 1e-3, "batch": 16})
for step in range(500):
    optimizer.zero_grad()
    loss = model(torch.randn(16, 20)).square().mean()
    accelerator.backward(loss)
    optimizer.step()
    accelerator.log({"loss": loss.item()}, step=step)
accelerator.end_training()
""",
    {
        "bare": ("", "None", ""),
        "runlore": ("from runlore_transformers import RunloreTracker", "'runlore'", ""),
        **{tool: ("", f"'{tool}'", "") for tool in ("mlflow", "wandb", "trackio")},
    },
)

TOKENS = """
import torch, transformers, tokenizers
from datasets import Dataset
torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()
words = {word: place for place, word in enumerate(["<pad>", "<eos>", "<unk>", "a", "b", "c"])}
inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, "<unk>"))
inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
tokenizer = transformers.PreTrainedTokenizerFast(
    tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
sizes = dict(vocab_size=6, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
             max_position_embeddings=64)
common = dict(output_dir="out", max_steps=50, logging_steps=1, use_cpu=True, disable_tqdm=True, save_strategy="no",
              bf16=False, per_device_train_batch_size=2)
"""
LLAMA = "model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, pad_token_id=0, eos_token_id=1))"


def reported(before: str = "") -> dict[str, Way]:
    """Return the ways of what a Trainer of transformers reports to by name."""
    tools = {"bare": "'none'", "runlore": "'none'", "mlflow": "'mlflow'", "wandb": "'wandb'", "trackio": "'trackio'"}
    autolog = "import runlore; runlore.autolog('transformers')"
    return {tool: (autolog if tool == "runlore" else before, given, "") for tool, given in tools.items()}


TRL = Script(
    "50 steps of SFT",
    TOKENS + "from trl import SFTConfig, SFTTrainer",
    f"""
{LLAMA}
rows = Dataset.from_dict({{"text": ["a b c", "c b a"] * 50}})
trainer = SFTTrainer(model, SFTConfig(max_length=16, report_to=GIVEN, **common), processing_class=tokenizer,
                     train_dataset=rows)
trainer.train()
""",
    reported(),
)

PEFT = Script(
    "50 steps of LoRA's adapters",
    TOKENS + "from peft import LoraConfig, get_peft_model",
    f"""
{LLAMA}
model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
rows = [{{"input_ids": [3, 4, 5, 1], "labels": [3, 4, 5, 1]}}] * 100
trainer = transformers.Trainer(model, transformers.TrainingArguments(report_to=GIVEN, **common), train_dataset=rows)
trainer.train()
""",
    reported(),
)

SENTENCES = Script(
    "50 steps of embeddings with an evaluator",
    TOKENS + """
import sentence_transformers as library
from sentence_transformers import losses, models
from sentence_transformers.evaluation import EmbeddingSimilarityEvaluator
""",
    """
transformers.BertModel(transformers.BertConfig(**sizes)).save_pretrained("bert")
tokenizer.save_pretrained("bert")
model = library.SentenceTransformer(
    modules=[models.Transformer("bert", max_seq_length=8), models.Pooling(16)], device="cpu")
rows = Dataset.from_dict(
    {"sentence1": ["a b", "b c"] * 50, "sentence2": ["b a", "a a"] * 50, "score": [1.0, 0.0] * 50})
pairs = EmbeddingSimilarityEvaluator(["a b", "b c", "c"], ["b a", "a a", "c c"], [1.0, 0.0, 0.5], name="pairs")
args = library.SentenceTransformerTrainingArguments(eval_strategy="steps", eval_steps=10, report_to=GIVEN, **common)
trainer = library.SentenceTransformerTrainer(model, args=args, train_dataset=rows, eval_dataset=rows,
                                             evaluator=pairs, loss=losses.CosineSimilarityLoss(model))
trainer.train()
""",
    reported(),
)  # fmt: skip

RAY = Script(
    "4 trials of 5 reports with Ray Tune",
    "import os, ray; from ray import tune",
    """
def train(config):
    for step in range(5):
        tune.report({"score": config["x"] * step})

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
tune.Tuner(train, param_space={"x": tune.grid_search([1, 2, 3, 4])},
           tune_config=tune.TuneConfig(metric="score", mode="max"),
           run_config=tune.RunConfig(name="bench", storage_path=os.path.abspath("ray"), verbose=0,
                                     callbacks=GIVEN)).fit()
ray.shutdown()
""",
    {
        "bare": ("", "[]", ""),
        "runlore": ("import runlore; runlore.autolog('ray')", "[]", ""),
        "mlflow": ("from ray.air.integrations.mlflow import MLflowLoggerCallback",
                   "[MLflowLoggerCallback(tracking_uri=os.environ['MLFLOW_TRACKING_URI'], experiment_name='bench')]",
                   ""),
    },
    is_other=True,
)  # fmt: skip

SPARK = Script(
    "a cross-validation of 3 × 2 with pyspark.ml",
    """
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.sql import SparkSession
""",
    """
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
rows = spark.range(0, 400, 1, 1).selectExpr("double(id * 7 % 31) AS a", "double(id * 7 % 31 + id % 13 > 20) AS label")
rows = VectorAssembler(inputCols=["a"], outputCol="features").transform(rows)
model = LogisticRegression(maxIter=5)
grid = ParamGridBuilder().addGrid(model.regParam, [0.0, 0.1, 1.0]).build()
CrossValidator(estimator=model, estimatorParamMaps=grid, evaluator=BinaryClassificationEvaluator(), numFolds=2,
               seed=0).fit(rows)
spark.stop()
""",
    ways("None", "spark", mlflow=("import mlflow; mlflow.pyspark.ml.autolog()", "None")),
    is_other=True,
)

SCRIPTS = {
    "xgboost": XGBOOST, "lightgbm": LIGHTGBM, "catboost": CATBOOST, "optuna": OPTUNA, "torch": TORCH,
    "accelerate": ACCELERATE, "trl": TRL, "peft": PEFT, "sentence-transformers": SENTENCES, "ray": RAY, "spark": SPARK,
}  # fmt: skip
