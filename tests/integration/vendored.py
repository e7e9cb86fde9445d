"""Sources that bring what they depend on: made here, of Debian's packages and a few lines of C."""

from __future__ import annotations

import functools
import gzip
import io
import subprocess
import tarfile

Files = dict[str, str | bytes]

MAVEN_PACKAGES = (
    "libmaven-compiler-plugin-java",
    "libmaven-jar-plugin-java",
    "libmaven-resources-plugin-java",
    "libsurefire-java",
)
_GEM = {
    "add.gemspec": """Gem::Specification.new do |gem|
  gem.name = "add"
  gem.version = "1.0.0"
  gem.summary = "adds"
  gem.authors = ["paas"]
  gem.files = Dir["{lib,ext}/**/*.{rb,c}"]
  gem.extensions = ["ext/add/extconf.rb"]
end
""",
    "lib/add.rb": "require 'add/add'\n",
    "ext/add/extconf.rb": "require 'mkmf'\ncreate_makefile('add/add')\n",
    "ext/add/add.c": """#include <ruby.h>
static VALUE add(VALUE self, VALUE a, VALUE b) { return INT2NUM(NUM2INT(a) + NUM2INT(b)); }
void Init_add(void) { rb_define_global_function("add", add, 2); }
""",
}
_SERVER = """require "socket"
require "add"

server = TCPServer.new("0.0.0.0", Integer(ENV.fetch("PORT")))
trap("TERM") { exit }
loop do
  client = server.accept
  nil until client.gets.to_s.strip.empty?
  client.write("HTTP/1.0 200 OK\\r\\n\\r\\n2 + 3 = #{add(2, 3)}\\n")
  client.close
end
"""
_DISTRIBUTION = {
    "Makefile.PL": "use ExtUtils::MakeMaker;\nWriteMakefile(NAME => 'Acme::Add', VERSION_FROM => 'lib/Acme/Add.pm');\n",
    "lib/Acme/Add.pm": """package Acme::Add;
our $VERSION = '1.0';
require XSLoader;
XSLoader::load('Acme::Add', $VERSION);
1;
""",
    "Add.xs": """#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"
MODULE = Acme::Add  PACKAGE = Acme::Add
int
add(a, b)
  int a
  int b
CODE:
  RETVAL = a + b;
OUTPUT: RETVAL
""",
}
_POM = """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>app</groupId>
  <artifactId>hello</artifactId>
  <version>1.0</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <build>
    <plugins>
      <plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>
      <plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin>
      <plugin><artifactId>maven-surefire-plugin</artifactId><version>2.22.3</version></plugin>
      <plugin>
        <artifactId>maven-jar-plugin</artifactId>
        <version>3.3.0</version>
        <configuration><archive><manifest><mainClass>app.Main</mainClass></manifest></archive></configuration>
      </plugin>
    </plugins>
  </build>
</project>
"""
_MAIN = """package app;

import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

public final class Main {
    public static void main(String[] arguments) throws Exception {
        byte[] text = "Hello from Maven\\n".getBytes();
        HttpServer server = HttpServer.create(new InetSocketAddress(Integer.parseInt(System.getenv("PORT"))), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, text.length);
            exchange.getResponseBody().write(text);
            exchange.close();
        });
        server.start();
    }
}
"""


LOCKED: dict[str, Files] = {
    "perl": {"cpanfile": "requires 'perl', '5.036';\n", "cpanfile.snapshot": "# carton snapshot format: version 1.0\n"},
    "php": {
        "composer.json": "{}",
        "composer.lock": '{"content-hash": "99914b932bd37a50b983c5e7c90ae93b", "packages": [], "packages-dev": []}',
    },
    "ruby": {
        "Gemfile": "source 'https://rubygems.org'\n",
        "Gemfile.lock": "GEM\n  remote: https://rubygems.org/\n  specs:\n\n"
        "PLATFORMS\n  ruby\n  x86_64-linux\n\nDEPENDENCIES\n\nBUNDLED WITH\n   2.3.15\n",
    },
}
"""By language: a source whose lock file pins nothing, which can be installed without the network."""
_NOWHERE = "http://127.0.0.1:9"
UNREACHABLE: dict[str, tuple[Files, str]] = {
    "go": (
        {
            "go.mod": "module example.com/hello\n\ngo 1.19\n\nrequire example.com/greeting v1.0.0\n",
            "go.sum": "example.com/greeting v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
            "main.go": "package main\n\nfunc main() {}\n",
            ".s2i/environment": f"GOPROXY={_NOWHERE}\n",
        },
        "go mod vendor",
    ),
    "java": ({"pom.xml": _POM, ".s2i/environment": f"MAVEN_MIRROR_URL={_NOWHERE}\n"}, ".m2/repository"),
    "perl": (
        {
            "cpanfile": "requires 'Acme::Nowhere';\n",
            ".s2i/environment": f"PERL_CPANM_OPT=--mirror {_NOWHERE} --mirror-only\n",
        },
        "carton bundle",
    ),
    "php": (
        {
            "composer.json": '{"repositories": [{"packagist.org": false}, '
            f'{{"type": "composer", "url": "{_NOWHERE}"}}], '
            '"config": {"secure-http": false}, "require": {"acme/nowhere": "1.0.0"}}',
        },
        "the vendor folder can be committed",
    ),
    "ruby": (
        {
            "Gemfile": "source 'https://rubygems.org'\n\ngem 'nowhere'\n",
            "Gemfile.lock": "GEM\n  remote: https://rubygems.org/\n  specs:\n    nowhere (1.0.0)\n\n"
            "PLATFORMS\n  ruby\n  x86_64-linux\n\nDEPENDENCIES\n  nowhere\n",
            ".s2i/environment": f"BUNDLE_MIRROR__ALL={_NOWHERE}\nBUNDLE_RETRY=0\n",
        },
        "bundle cache",
    ),
    "rust": (
        {
            "Cargo.toml": '[package]\nname = "hello"\nversion = "1.0.0"\n\n[dependencies]\nnowhere = "1.0.0"\n',
            "src/main.rs": "fn main() {}\n",
            ".cargo/config.toml": "[source.crates-io]\nreplace-with = 'mirror'\n\n"
            f"[source.mirror]\nregistry = 'sparse+{_NOWHERE}/'\n",
            ".s2i/environment": "CARGO_NET_RETRY=0\n",
        },
        "cargo vendor",
    ),
}
"""By language: a source whose package index is where nothing is, and the way out that must be told."""


def gem_cache(builder: str) -> Files:
    """A Ruby app whose gem, with an extension in C, is in vendor/cache; `builder`: an image that can pack it."""
    build = "mkdir /tmp/gem && cd /tmp/gem && tar -x && gem build --quiet --silent add.gemspec >&2 && cat add-1.0.0.gem"
    gem = _run(builder, build, _tar(_GEM))
    lock = "GEM\n  remote: https://rubygems.org/\n  specs:\n    add (1.0.0)\n\nPLATFORMS\n  ruby\n  x86_64-linux\n\n"
    return {
        "Gemfile": "source 'https://rubygems.org'\n\ngem 'add'\n",
        "Gemfile.lock": f"{lock}DEPENDENCIES\n  add\n\nBUNDLED WITH\n   2.9.9\n",
        "vendor/cache/add-1.0.0.gem": gem,
        "app.rb": _SERVER,
        # No registry, also where there is one: else it would be asked first.
        ".s2i/environment": f"BUNDLE_MIRROR__ALL={_NOWHERE}\nBUNDLE_RETRY=0\n",
    }


def carton_bundle() -> Files:
    """A Perl app whose module, with a part in C, is in vendor/cache, as `carton bundle` leaves it there."""
    path = "P/PA/PAAS/Acme-Add-1.0.tar.gz"
    packed = gzip.compress(_tar({f"Acme-Add-1.0/{name}": text for name, text in _DISTRIBUTION.items()}), mtime=0)
    index = (
        f"File: 02packages.details.txt\nColumns: package name, version, path\nLine-Count: 1\n\nAcme::Add 1.0 {path}\n"
    )
    return {
        "cpanfile": "requires 'Acme::Add', '1.0';\n",
        "cpanfile.snapshot": "# carton snapshot format: version 1.0\nDISTRIBUTIONS\n  Acme-Add-1.0\n"
        f"    pathname: {path}\n    provides:\n      Acme::Add 1.0\n    requirements:\n      ExtUtils::MakeMaker 0\n",
        f"vendor/cache/authors/id/{path}": packed,
        "vendor/cache/modules/02packages.details.txt.gz": gzip.compress(index.encode(), mtime=0),
        "app.psgi": "use Acme::Add;\nsub { [200, [], ['2 + 3 = ' . Acme::Add::add(2, 3)]] };\n",
    }


@functools.cache
def maven_repository(builder: str) -> Files:
    """A Maven app with the plugins that it needs, which are Debian's, in .m2/repository."""
    build = (
        "apt-get update -qq >&2 && apt-get install -qq --yes --no-install-recommends "
        f"{' '.join(MAVEN_PACKAGES)} >&2 && tar -C /usr/share/maven-repo -ch ."
    )
    repository = _run(builder, build, b"", user="0")
    files: Files = {"pom.xml": _POM, "src/main/java/app/Main.java": _MAIN}
    with tarfile.open(fileobj=io.BytesIO(repository)) as tar:
        for entry in tar:
            if body := tar.extractfile(entry):
                files[f".m2/repository/{entry.name.removeprefix('./')}"] = body.read()
    return files


def _tar(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


def _run(image: str, script: str, given: bytes, user: str = "1001") -> bytes:
    argv = ["docker", "run", "--rm", "--interactive", f"--user={user}", image, "sh", "-c", script]
    done = subprocess.run(argv, input=given, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0 or done.stdout, done.stderr.decode()
    return done.stdout
