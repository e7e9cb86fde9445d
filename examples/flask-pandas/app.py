import pandas as pd
from flask import Flask
from sqlalchemy import create_engine

VERSION = "1"

app = Flask(__name__)
engine = create_engine("sqlite://")


@app.get("/")
def index() -> str:
    sales = pd.DataFrame({"city": ["Brno", "Graz", "Brno"], "amount": [120, 80, 45]})
    with engine.begin() as connection:
        sales.to_sql("sales", connection, if_exists="replace", index=False)
        totals = pd.read_sql("select city, sum(amount) as amount from sales group by city order by city", connection)
    return f"version {VERSION}\n{totals.to_string(index=False)}\n"


@app.get("/healthz")
def healthz() -> str:
    return "ok\n"
