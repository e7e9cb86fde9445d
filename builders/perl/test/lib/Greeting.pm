package Greeting;

use v5.36;

sub text { return "Hello from paas\n" }

1;
