# ruff: noqa: T201, BLE001
"""Real clients of the Open Inference Protocol, run in an environment of their own against a guard, or MLServer.

``clients.py WHAT URL NAME TOKEN``: WHAT is ``http`` or ``grpc``. It prints what each step of the matrix gave: an empty
text, or why it failed. tritonclient's gRPC and kserve cannot be imported into one process: both register the protocol.
A server without a guard takes no token, names itself otherwise, and its outputs are ``predict`` and ``predict_proba``.
"""

import asyncio
import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

WHAT, URL, NAME, TOKEN = sys.argv[1:]
GUARDED = bool(TOKEN)
ANSWER, SCORES = ("answer", "scores") if GUARDED else ("predict", "predict_proba")
SERVER = "fivefold" if GUARDED else "mlserver"
# each call gets a copy: tritonclient writes into the headers that it is given
HEADERS = {"Authorization": f"Bearer {TOKEN}"} if GUARDED else {}
COLUMNS = {"weight": "FP64", "colour": "BYTES", "since": "BYTES", "count": "FP64", "team": "BYTES"}
ROW = {"weight": 61.5, "colour": "red", "since": "2021-03-04", "count": 3.0, "team": "a"}


def inputs(n=1, *, binary=False, weights=None, kind="FP64", of=triton):
    made = []
    for name, datatype in COLUMNS.items():
        chosen = kind if name == "weight" else datatype
        values = np.array([ROW[name]] * n, dtype=object) if datatype == "BYTES" else np.full(n, ROW[name])
        if name == "weight":
            values = (values if weights is None else weights).astype({"FP64": "f8", "FP16": "f2"}[kind])
        tensor = of.InferInput(name, [n], chosen)
        tensor.set_data_from_numpy(values, **({"binary_data": binary} if of is triton else {}))
        made.append(tensor)
    return made


def yes(answer, n=1):
    told = answer.as_numpy(ANSWER)
    assert told is not None, "no answer"
    told = told.ravel().tolist()
    assert [one.decode() if isinstance(one, bytes) else one for one in told] == ["yes"] * n, told
    scores = answer.as_numpy(SCORES)
    if GUARDED:
        assert scores.shape == (n, 2), scores.shape
        assert abs(scores[0, 1] - 1 / (1 + np.exp(-2.3))) < 1e-3, scores
    else:
        assert scores is None or scores.shape == (n, 2), scores.shape


def with_triton():
    client = triton.InferenceServerClient(URL)

    def ask(made, **more):
        return client.infer(NAME, made, headers=dict(HEADERS), **more)

    def binary():
        wanted = [triton.InferRequestedOutput(name, binary_data=True) for name in (ANSWER, SCORES)]
        yes(ask(inputs(binary=True), outputs=wanted))

    def alive():
        assert client.is_server_live(headers=dict(HEADERS))
        assert client.is_server_ready(headers=dict(HEADERS))
        assert client.is_model_ready(NAME, headers=dict(HEADERS))

    def metadata():
        assert client.get_server_metadata(headers=dict(HEADERS))["name"] == SERVER
        told = client.get_model_metadata(NAME, headers=dict(HEADERS))
        assert {item["name"]: item["datatype"] for item in told["inputs"]} == COLUMNS, told

    def plain():
        wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in (ANSWER, SCORES)]
        yes(ask(inputs(), outputs=wanted))

    def half():
        yes(ask(inputs(binary=True, kind="FP16")))

    def pressed():
        wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in (ANSWER, SCORES)]
        for coding in ("gzip", "deflate"):
            more = {"request_compression_algorithm": coding, "response_compression_algorithm": coding}
            yes(ask(inputs(200), outputs=wanted, **more), 200)

    def untyped():
        yes(ask(inputs()))  # this client sends JSON without a content type

    def nan():
        made = inputs(weights=np.array([np.nan]))
        refusal = None
        try:
            ask(made)
        except InferenceServerException as error:
            refusal = error
        assert refusal is not None
        assert (refusal.status(), bool(refusal.message())) == ("400", True)

    def many():
        weights = np.linspace(20, 80, 10_000)
        told = ask(inputs(10_000, binary=GUARDED, weights=weights)).as_numpy(ANSWER).ravel().tolist()
        assert len(told) == 10_000, len(told)
        expected = np.where(weights > 50, "yes", "no").tolist()
        assert [one.decode() if isinstance(one, bytes) else one for one in told] == expected or not GUARDED

    return {
        "1 live and ready": alive, "2 metadata": metadata, "3 JSON": plain, "4 binary both ways": binary,
        "5 FP16": half, "6 gzip": pressed, "7 no content type": untyped, "8 NaN": nan, "9 ten thousand rows": many,
    }  # fmt: skip


def with_triton_grpc():
    import tritonclient.grpc as remote

    lower = {name.lower(): value for name, value in HEADERS.items()}
    client = remote.InferenceServerClient(URL)
    wanted = [remote.InferRequestedOutput(name) for name in (ANSWER, SCORES)]

    def alive():
        assert client.is_server_live(headers=lower)
        assert client.is_server_ready(headers=lower)
        assert client.is_model_ready(NAME, headers=lower)
        assert client.get_server_metadata(headers=lower).name == SERVER
        told = client.get_model_metadata(NAME, headers=lower)
        assert {item.name: item.datatype for item in told.inputs} == COLUMNS, told

    def plain():
        yes(client.infer(NAME, inputs(of=remote), outputs=wanted, headers=lower))

    def texts():
        made = inputs(3, of=remote)
        made[1].set_data_from_numpy(np.array(["red", "blue é", "r" * 300], dtype=object))
        told = client.infer(NAME, made, outputs=wanted, headers=lower)
        output = told.get_output(ANSWER)
        assert output.datatype == "BYTES", output
        assert told.as_numpy(ANSWER).ravel().tolist() == [b"yes"] * 3, told.as_numpy(ANSWER)

    return {"10 gRPC live, ready, metadata": alive, "11 gRPC infer": plain, "12 gRPC BYTES": texts}


def with_kserve():
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    base = f"http://{URL}"

    def fresh():
        return InferenceRESTClient(RESTConfig(protocol="v2"))  # its connections belong to one event loop

    def request(*, binary):
        made = []
        for name, datatype in COLUMNS.items():
            tensor = InferInput(name, [1], datatype)
            values = np.array([ROW[name]], dtype=object if datatype == "BYTES" else float)
            tensor.set_data_from_numpy(values, binary_data=binary)
            made.append(tensor)
        return InferRequest(model_name=NAME, infer_inputs=made)

    def ask(*, binary):
        told = asyncio.run(fresh().infer(base, request(binary=binary), headers=dict(HEADERS), model_name=NAME))
        answers = told.outputs[0].as_numpy().ravel().tolist()
        assert [one.decode() if isinstance(one, bytes) else one for one in answers] == ["yes"], answers

    async def healthy():
        client = fresh()
        assert await client.is_server_live(base, headers=dict(HEADERS))
        assert await client.is_server_ready(base, headers=dict(HEADERS))
        assert await client.is_model_ready(base, NAME, headers=dict(HEADERS))

    return {
        "13 kserve JSON": lambda: ask(binary=False),
        "14 kserve binary": lambda: ask(binary=True),
        "15 kserve health": lambda: asyncio.run(healthy()),
    }


if __name__ == "__main__":
    found = {}
    for name, step in (with_triton_grpc() if WHAT == "grpc" else {**with_triton(), **with_kserve()}).items():
        try:
            step()
            found[name] = ""
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(found))
