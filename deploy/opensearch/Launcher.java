import org.codelibs.opensearch.runner.OpenSearchRunner;

/**
 * One OpenSearch node on the loopback: {@code Launcher FOLDER HTTP_PORT TRANSPORT_PORT LONGEST_REQUEST}. Ends with its standard input.
 *
 * <p>The library's own command line listens on ports below 9300 alone, and fixes the node's roles without ingest.
 */
public class Launcher {
    public static void main(String[] arguments) throws Exception {
        OpenSearchRunner runner = new OpenSearchRunner();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                runner.close();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        runner.onBuild((index, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", arguments[1]);
            settings.put("transport.port", arguments[2]);
            settings.put("discovery.type", "single-node");
            settings.putList("node.roles", "cluster_manager", "data", "ingest");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
            // the heap's use counts garbage, which the serial collector leaves there: requests would be refused for it
            settings.put("indices.breaker.total.use_real_memory", "false");
            settings.put("http.max_content_length", arguments[3]);
        }).build(OpenSearchRunner.newConfigs().basePath(arguments[0]).clusterName("voltscope").numOfNode(1));
        while (System.in.read() >= 0) {
            // nobody writes: the end of our starter is the end of its pipe
        }
        System.exit(0);
    }
}
