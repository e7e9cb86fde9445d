// Package greeting says hello.
package greeting

// Text is what it says.
const Text = "Hello from paas\n"
