const express = require("express");

const app = express();

app.get("/", (request, response) => response.type("text").send("Hello from Express\n"));
app.get("/healthz", (request, response) => response.type("text").send("ok\n"));

const server = app.listen(process.env.PORT || 8080, () => console.log(`listening on ${server.address().port}`));

process.on("SIGTERM", () => server.close(() => console.log("all requests answered, bye")));
