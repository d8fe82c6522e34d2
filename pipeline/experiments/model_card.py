"""The champion's model card: what it is, what it takes and gives, how good it is, what it is not for.

After Mitchell et al. 2019, "Model cards for model reporting", section 4.
"""

from typing import Any

from ..config import Study
from ..data import Card
from ..grid import Network, cell_name, widths_of

CARD_FILE = "README.md"
"""The card, in the champion's folder."""
SHOWN = 12
"""Features and classes that are written out."""


def registered_name(study: str) -> str:
    """Return the name under which a study's champions are registered in MLflow."""
    return f"trainability-{study}"


def model_card(
    title: str,
    champion: Network,
    study: Study,
    card: Card,
    found: dict[str, Any],
    networks: int,
) -> str:
    """Return the card as Markdown.

    Args:
        title: the study's name.
        champion: the network.
        study: its shape and budget.
        card: of its data.
        found: the ``champion``'s scores, those of the ``references``, and by class (``per_class``) precision, recall,
            F1 and number of samples on the test part.
        networks: how many the study trained.
    """
    source = getattr(study.data, "path", card.source)
    cell, scores, references = champion.cell, found["champion"], found["references"]
    widths = "-".join(str(width) for width in (card.features, *widths_of(cell.hidden), len(card.classes)))
    budget = study.training
    best = max(references.items(), key=lambda item: item[1]["val_accuracy"], default=None)
    beside = f" scikit-learn's {best[0].replace('_', ' ')} has {best[1]['test_accuracy']:.3f}." if best else ""
    rows = [
        f"| {_cell(name)} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['samples']:,} |"
        for name, row in zip(card.classes, found["per_class"], strict=True)
    ]
    return f"""# The champion of {title}

A network ({cell.architecture}, {widths}) that tells {len(card.classes)} classes of {source} apart. It had the best \
validation accuracy of the {networks:,} networks of its study.

## Use

It takes samples in the source's own units, as a data frame with these columns in any order, or as an array in theirs; \
the numbers' type does not matter. It scales them itself ({card.scaling}), and returns each sample's class by its own \
name; with `params={{"probabilities": True}}`, a column of probabilities for each class.

- features ({card.features}): {_some(card.names)}
- classes ({len(card.classes)}, {card.class_type}): {_some(card.classes)}

```python
import mlflow

model = mlflow.pyfunc.load_model("models:/{registered_name(title)}@champion")
model.predict(frame)
```

`model.onnx` is the same without MLflow: any ONNX runtime takes `features` (float64, [sample, feature]) and gives \
`probabilities`. `weights.safetensors` and `network.json` are the PyTorch network; it takes scaled samples.

## Training

{cell_name(cell._asdict())}; {budget.epochs} epochs of {cell.optimizer} in batches of {cell.batch_size}; seed \
{champion.seed}. \
{card.samples["train"]:,} samples for training, {card.samples["validation"]:,} for choosing this network, \
{card.samples["test"]:,} for testing it.

## Scores

Accuracy {scores["val_accuracy"]:.3f} on the validation part, which chose it and so flatters it; \
**{scores["test_accuracy"]:.3f} on the test part**.{beside}

| class | precision | recall | F1 | test samples |
|---|---|---|---|---|
{chr(10).join(rows)}

Reproduced, when it was trained a second time, alone: {scores["reproduced"]}.

## Limits

It knows the classes above and no others, and gives every sample one of them. Probabilities are the softmax of its \
logits and are not calibrated. Samples unlike those of training, other units among them, get answers too: nothing \
warns of them.
"""


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown}, … `{names[-1]}`"


def _cell(name: str) -> str:
    """Return a name as a cell of a Markdown table."""
    return name.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
