module Greeting
  def self.text = "Hello from paas\n"
end
