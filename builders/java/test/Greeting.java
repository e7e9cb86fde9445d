final class Greeting {
    static final String TEXT = "Hello from paas\n";

    private Greeting() {
    }
}
