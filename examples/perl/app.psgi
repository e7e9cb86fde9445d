use v5.36;

sub text ($body, $status = 200) { return [$status, ['Content-Type' => 'text/plain'], [$body]] }

sub ($env) {
    return text("Hello from Perl $^V\n") if $env->{PATH_INFO} eq '/';
    return text("ok\n") if $env->{PATH_INFO} eq '/healthz';
    return text("not here\n", 404);
};
