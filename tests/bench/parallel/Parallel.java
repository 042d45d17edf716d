// A consumer on Confluent's Parallel Consumer and Vert.x's HTTP client, as a peer in make bench: key order,
// the same calls as the worker's rules in ../events.py.
//
//     java Parallel BROKERS GROUP BASE_URL IN_FLIGHT TOPIC...      CA_FILE: certificates to trust, HTTP/2

import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.vertx.VertxParallelStreamProcessor;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.ext.web.client.WebClient;
import io.vertx.ext.web.client.WebClientOptions;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public final class Parallel {
    private static final Map<String, String> PLAN_TAGS =
        Map.of("pro", "paid user", "enterprise", "paid user", "trial", "trial user");

    private final WebClient client;
    private final String baseUrl;

    private Parallel(WebClient client, String baseUrl) {
        this.client = client;
        this.baseUrl = baseUrl;
    }

    private static String email(JsonObject event) {
        return event.getJsonObject("user").getString("email").trim().toLowerCase();
    }

    private static JsonObject identify(JsonObject event) {
        JsonObject user = event.getJsonObject("user");
        String source = user.getJsonObject("signup").getString("source", "direct");
        return new JsonObject()
            .put("email", email(event))
            .put("firstName", user.getString("first_name"))
            .put("lastName", user.getString("last_name"))
            .put("company", user.getString("company"))
            .put("customFields", new JsonObject().put("Plan", event.getString("plan")).put("Signup source", source))
            .put("tags", new JsonArray().add("registered").add("source: " + source));
    }

    private static JsonObject planChanged(JsonObject event) {
        String from = event.getString("from"), to = event.getString("to");
        if (to.equals(from) || !PLAN_TAGS.containsKey(to)) {
            return null;
        }
        return new JsonObject()
            .put("addTags", new JsonArray().add(PLAN_TAGS.get(to)))
            .put("removeTags", new JsonArray().add(PLAN_TAGS.get(from)));
    }

    private Future<?> post(String call, JsonObject body) {
        return client.postAbs(baseUrl + "/contact/" + call)
            .putHeader("api_key", "bench")
            .putHeader("Content-Type", "application/json")
            .putHeader("Accept", "application/json")
            .timeout(30_000)
            .sendBuffer(body.toBuffer())
            .compose(reply -> reply.statusCode() / 100 == 2
                ? Future.succeededFuture(reply)
                : Future.failedFuture("status " + reply.statusCode()));
    }

    private Future<?> handle(byte[] record) {
        JsonObject event = new JsonObject(io.vertx.core.buffer.Buffer.buffer(record));
        String type = event.getString("type");
        if (type.equals("user.registered")) {
            return event.getJsonObject("user").getBoolean("internal")
                ? Future.succeededFuture() : post("identify?team_id=bench", identify(event));
        }
        JsonObject body = type.equals("live")
            ? new JsonObject().put("addTags", new JsonArray().add("at-" + event.getString("at")))
            : planChanged(event);
        String address = URLEncoder.encode(email(event), StandardCharsets.UTF_8);
        return body == null ? Future.succeededFuture() : post("track?team_id=bench&email=" + address, body);
    }

    private static WebClientOptions clientOptions(int inFlight) {
        WebClientOptions options = new WebClientOptions().setMaxPoolSize(inFlight).setKeepAlive(true);
        String caFile = System.getenv("CA_FILE");
        if (caFile != null) {
            options.setSsl(true).setUseAlpn(true).setProtocolVersion(HttpVersion.HTTP_2)
                .setTrustOptions(new PemTrustOptions().addCertPath(caFile));
        }
        return options;
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String brokers, String group) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", brokers);
        properties.put("group.id", group);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    public static void main(String[] args) {
        int inFlight = Integer.parseInt(args[3]);
        Vertx vertx = Vertx.vertx();
        WebClient client = WebClient.create(vertx, clientOptions(inFlight));
        Parallel parallel = new Parallel(client, args[2]);
        VertxParallelStreamProcessor<byte[], byte[]> processor =
            VertxParallelStreamProcessor.createEosStreamProcessor(
                ParallelConsumerOptions.<byte[], byte[]>builder()
                    .ordering(ProcessingOrder.KEY)
                    .maxConcurrency(inFlight)
                    .commitInterval(Duration.ofSeconds(1))
                    .consumer(consumer(args[0], args[1]))
                    .build());
        processor.subscribe(Arrays.asList(args).subList(4, args.length));
        Runtime.getRuntime().addShutdownHook(new Thread(processor::close));
        processor.vertxFuture(context -> parallel.handle(context.getSingleRecord().value()));
    }
}
