/* base/stats, base/json_out and base/prom_out. */

#include "base/json_out.h"
#include "base/prom_out.h"
#include "base/stats.h"
#include "unit.h"

static void
a_histogram_counts_up_to_and_including_a_bound(void **state)
{
    static const double bounds[] = {1, 10};
    struct histogram histogram;

    (void)state;
    histogram_init(&histogram, bounds, ARRAY_LEN(bounds));
    for (int i = 0; i <= 11; i++)
        histogram_add(&histogram, i);
    assert_int_equal(histogram.counts[0], 2);
    assert_int_equal(histogram.counts[1], 9);
    assert_int_equal(histogram.counts[2], 1);
    assert_int_equal(histogram_count(&histogram), 12);
    assert_true(histogram.sum == 66);
}

static void
a_meter_tells_the_rate_of_the_last_seconds(void **state)
{
    struct meter meter = {0};

    (void)state;
    assert_true(meter_rate(&meter) == 0);
    meter_note(&meter, 100, 5000);
    assert_true(meter_rate(&meter) == 0);
    meter_note(&meter, 110, 6000);
    assert_true(meter_rate(&meter) == 10);
    for (int i = 0; i < 100; i++)
        meter_note(&meter, 110 + 50 * (uint64_t)(i + 1), 7000 + i * 1000);
    assert_true(meter_rate(&meter) == 50);
    for (int i = 0; i < STATS_SECONDS; i++)
        meter_note(&meter, 5110, 107000 + i * 1000);
    assert_true(meter_rate(&meter) == 0);
}

static void
a_meter_that_was_not_asked_for_long_is_exact(void **state)
{
    struct meter meter = {0};

    (void)state;
    meter_note(&meter, 0, 0);
    meter_note(&meter, 600, 60000);
    assert_true(meter_rate(&meter) == 10);
    meter_note(&meter, 600, 60000);
    assert_true(meter_rate(&meter) == 10);
}

static void
json_has_its_commas_and_hides_addresses(void **state)
{
    struct buf buf;
    struct json_out out = {.buf = &buf};

    (void)state;
    buf_init(&buf, 1000);
    json_out_object(&out, NULL);
    json_out_int(&out, "n", -1);
    json_out_array(&out, "list");
    json_out_text(&out, NULL, "a\"b");
    json_out_object(&out, NULL);
    json_out_object_end(&out);
    json_out_array(&out, NULL);
    json_out_array_end(&out);
    json_out_real(&out, NULL, 0.12345);
    json_out_array_end(&out);
    json_out_text(&out, "none", NULL);
    json_out_bool(&out, "yes", true);
    json_out_contact(&out, "who", "ada@example.com");
    json_out_object_end(&out);
    assert_string_equal(buf_text(&buf), "{\"n\":-1,\"list\":[\"a\\\"b\",{},[],0.123],\"none\":null,"
                                        "\"yes\":true,\"who\":\"a***@example.com\"}");
    buf_fini(&buf);
}

static void
metrics_are_as_prometheus_reads_them(void **state)
{
    static const double bounds[] = {0.5, 2};
    struct histogram histogram;
    struct buf buf;
    struct prom_out out = {.buf = &buf};

    (void)state;
    buf_init(&buf, 4000);
    prom_out_family(&out, "n_total", "counter", "Things.");
    prom_out_int(&out, INT64_MIN, NULL);
    prom_out_int(&out, 1234567890, "a", "q\"u\\o\nte\t", "b", "\xc3\xa4", NULL);
    prom_out_real(&out, 0.25, "a", "", NULL);
    assert_string_equal(buf_text(&buf),
                        "# HELP sendx_worker_n_total Things.\n# TYPE sendx_worker_n_total counter\n"
                        "sendx_worker_n_total -9223372036854775808\n"
                        "sendx_worker_n_total{a=\"q\\\"u\\\\o\\nte\t\",b=\"\xc3\xa4\"} 1234567890\n"
                        "sendx_worker_n_total{a=\"\"} 0.25\n");
    buf_reset(&buf);
    histogram_init(&histogram, bounds, ARRAY_LEN(bounds));
    histogram_add(&histogram, 1);
    histogram_add(&histogram, 3);
    prom_out_histogram(&out, "h", "H.", &histogram);
    assert_non_null(strstr(buf_text(&buf), "sendx_worker_h_bucket{le=\"0.5\"} 0\n"
                                           "sendx_worker_h_bucket{le=\"2\"} 1\n"
                                           "sendx_worker_h_bucket{le=\"+Inf\"} 2\n"
                                           "sendx_worker_h_sum 4\nsendx_worker_h_count 2\n"));
    buf_fini(&buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_histogram_counts_up_to_and_including_a_bound),
        cmocka_unit_test(a_meter_tells_the_rate_of_the_last_seconds),
        cmocka_unit_test(a_meter_that_was_not_asked_for_long_is_exact),
        cmocka_unit_test(metrics_are_as_prometheus_reads_them),
        cmocka_unit_test(json_has_its_commas_and_hides_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
