# The smallest server, so that the test needs no gem but the one beside it.
require "socket"
require "greeting"

server = TCPServer.new("0.0.0.0", Integer(ENV.fetch("PORT")))
trap("TERM") { exit }
loop do
  Thread.new(server.accept) do |client|
    nil until client.gets.to_s.strip.empty?
    text = Greeting.text
    client.write("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n",
                 "content-length: #{text.bytesize}\r\nconnection: close\r\n\r\n", text)
    client.close
  end
end
