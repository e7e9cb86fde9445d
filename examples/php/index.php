<?php

header('Content-Type: text/plain');

if ($_SERVER['REQUEST_URI'] === '/healthz') {
    exit("ok\n");
}

echo 'Hello from PHP ', PHP_VERSION, "\n";
