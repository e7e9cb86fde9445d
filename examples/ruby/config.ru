text = ->(body) { [200, { "content-type" => "text/plain" }, [body]] }

run lambda { |env|
  case env["PATH_INFO"]
  when "/" then text.call("Hello from Ruby #{RUBY_VERSION}\n")
  when "/healthz" then text.call("ok\n")
  else [404, { "content-type" => "text/plain" }, ["not here\n"]]
  end
}
