"""A server of embeddings that notices when people write about something new; no text is kept.

    uvicorn embeddings:app

The reference holds a few columns derived from the embeddings of known texts, such as their distance
from each other, and no series for any of their 32 numbers.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import make_pipeline

from mlmon_exporter import Reference, instrument

WHO = "I we you they".split()
DO = "book cancel change pay find miss need want like print".split()
WHAT = "flight hotel train ticket seat room bus ferry tour visa map bag".split()
WHEN = "today tomorrow soon later".split()
TEXTS = [" ".join(words) for words in product(WHO, DO, WHAT, WHEN)]

encoder = make_pipeline(
    HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=2**12),
    TruncatedSVD(32, random_state=0),
).fit(TEXTS)

app = FastAPI()
rows = {"prompt_characters": [*map(len, TEXTS)], "embedding": encoder.transform(TEXTS)}
known = Reference.build(rows, vectors=["embedding"])
known.save("embeddings.reference.json")
instrument(app, model="embeddings", reference="embeddings.reference.json")


class Asked(BaseModel):
    """A request, as OpenAI's clients write it."""

    model: str
    input: str


@app.post("/v1/embeddings")
def embed(asked: Asked) -> dict[str, Any]:
    """Answer with the embedding of a text."""
    (embedding,) = encoder.transform([asked.input]).tolist()
    item = {"object": "embedding", "index": 0, "embedding": embedding}
    return {"object": "list", "model": asked.model, "data": [item]}
