<?php

namespace Greeting;

final class Greeting
{
    public static function text(): string
    {
        return "Hello from paas\n";
    }
}
