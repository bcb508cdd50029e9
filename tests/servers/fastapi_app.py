"""FastAPI with a login and GraphQL: `python -m tests.servers.fastapi_app PORT [REFERENCE]`."""

import sys
from typing import Annotated, Any

import strawberry
import uvicorn
from fastapi import Depends, FastAPI
from fastapi.security import OAuth2PasswordRequestForm
from strawberry.fastapi import GraphQLRouter

from .linear import FEATURES, outputs

app = FastAPI()


@app.get("/ping")
def ping() -> str:
    return "pong"


@app.post("/predict")
def predict(rows: list[dict[str, float]]) -> Any:
    values = outputs([[row[name] for name in FEATURES] for row in rows])
    return {"predictions": values.tolist()}


@app.post("/token")
def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Any:
    return {"access_token": f"secret of {form.username}", "token_type": "bearer"}


@app.post("/rpc")
def rpc(call: dict[str, Any]) -> Any:
    return {"jsonrpc": "2.0", "id": call["id"], "result": call["params"]}


@strawberry.type
class Query:
    """What a client may ask."""

    @strawberry.field
    def greeting(self, name: str) -> str:
        return f"Hello, {name}"


app.include_router(GraphQLRouter(strawberry.Schema(Query)), prefix="/graphql")

if __name__ == "__main__":
    port, *reference = sys.argv[1:]
    if reference:
        from mlmon_exporter import instrument

        instrument(app, model="linear", reference=reference[0])
    uvicorn.run(app, port=int(port), log_level="warning")
