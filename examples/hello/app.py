from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "Hello from paas\n"


@app.get("/healthz")
def healthz() -> str:
    return "ok\n"
