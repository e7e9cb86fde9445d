use v5.36;
use Greeting;

sub ($env) { return [200, ['Content-Type' => 'text/plain'], [Greeting::text()]] };
