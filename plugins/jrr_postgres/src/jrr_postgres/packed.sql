-- Readers of packed blocks, in built-in SQL only. codec.py and blocks.py say what the bits mean; a change of the
-- format changes both. {schema} and {format} are filled in by packing.py. `at` is the 1-based place of the next bit.

-- Up to 63 bits as a number. The planner puts the expression in the place of the call.
CREATE OR REPLACE FUNCTION {schema}.packed_number(bits varbit, at int, width int) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT ('0'::varbit || substring(bits, at, width))::bit(64)::bigint >> (63 - width)
$$;

CREATE OR REPLACE FUNCTION {schema}.packed_bits(data bytea) RETURNS varbit
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE found int := get_byte(substring(data, 1, 1), 0);
BEGIN
IF found <> {format} THEN
    RAISE EXCEPTION 'a block of format %, these functions know {format}', found
    USING HINT = 'Open the store with the newest jrr-postgres that writes to it.';
END IF;
RETURN ('x' || encode(data, 'hex'))::varbit;
END $$;

CREATE OR REPLACE FUNCTION {schema}.packed_signed(bits varbit, INOUT at int, OUT number bigint)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE size int := {schema}.packed_number(bits, at, 4);
BEGIN
at := at + 4;
number := CASE size WHEN 0 THEN 0 ELSE substring(bits, at, 64)::bit(64)::bigint >> (64 - 8 * size) END;
at := at + 8 * size;
END $$;

-- m numbers by classes.
CREATE OR REPLACE FUNCTION {schema}.packed_classes(bits varbit, INOUT at int, m int, OUT above bigint[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    size int := {schema}.packed_number(bits, at, 3);
    widths int[]; width int; starts bigint[]; start bigint := 0; class int; p int;
BEGIN
FOR i IN 1..1 << size LOOP
    width := {schema}.packed_number(bits, at + 6 * i - 3, 6);
    widths[i] := width;
    starts[i] := start;
    start := start + (1::bigint << width);
END LOOP;
p := at + 3 + 6 * (1 << size);
at := p + m * size;
IF size = 0 THEN
    at := p + m * width;
    above := CASE width
        WHEN 0 THEN array_fill(0::bigint, ARRAY[m])
        ELSE ARRAY(SELECT {schema}.packed_number(bits, p + i * width, width) FROM generate_series(0, m - 1) i)
    END;
ELSE
    FOR i IN 0..m - 1 LOOP
        class := 1 + {schema}.packed_number(bits, p + i * size, size);
        width := widths[class];
        above[i + 1] := starts[class] + {schema}.packed_number(bits, at, width);
        at := at + width;
    END LOOP;
END IF;
END $$;

-- n numbers as base and steps above, below or around it.
CREATE OR REPLACE FUNCTION {schema}.packed_plane(bits varbit, INOUT at int, n int, OUT numbers bigint[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    sign int := {schema}.packed_number(bits, at, 2);
    base bigint; unit bigint; flags int; above bigint[]; k int := 0;
BEGIN
SELECT * INTO at, base FROM {schema}.packed_signed(bits, at + 2);
SELECT * INTO at, unit FROM {schema}.packed_signed(bits, at);
flags := at;
IF get_bit(bits, at - 1) = 0 THEN
    SELECT * INTO at, above FROM {schema}.packed_classes(bits, at + 1, n);
ELSE
    SELECT * INTO at, numbers
    FROM {schema}.packed_classes(bits, at + 1 + n, bit_count(substring(bits, at + 1, n))::int);
    FOR i IN 1..n LOOP
        IF get_bit(bits, flags + i - 1) = 0 THEN
            above[i] := 0;
        ELSE
            k := k + 1;
            above[i] := numbers[k] + 1;
        END IF;
    END LOOP;
END IF;
numbers := CASE
    WHEN unit = 0 THEN array_fill(base, ARRAY[n])
    WHEN sign = 0 AND base = 0 AND unit = 1 THEN above
    WHEN sign = 0 THEN ARRAY(SELECT base + unit * u FROM unnest(above) u)
    WHEN sign = 1 THEN ARRAY(SELECT base - unit * u FROM unnest(above) u)
    ELSE ARRAY(SELECT base + unit * ((u >> 1) # -(u & 1)) FROM unnest(above) u)
END;
END $$;

-- n numbers, maybe with the first one apart and the others as differences.
CREATE OR REPLACE FUNCTION {schema}.packed_ints(bits varbit, INOUT at int, n int, OUT numbers bigint[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE lag int; last bigint; steps bigint[] := '{}';
BEGIN
numbers := '{}';
IF n = 0 THEN RETURN; END IF;
IF get_bit(bits, at - 1) = 0 THEN
    SELECT * INTO at, numbers FROM {schema}.packed_plane(bits, at + 1, n);
    RETURN;
END IF;
numbers[1] := substring(bits, at + 1, 64)::bit(64)::bigint;
lag := {schema}.packed_number(bits, at + 65, 16);
at := at + 81;
IF n = 1 THEN RETURN; END IF;
SELECT * INTO at, steps FROM {schema}.packed_plane(bits, at, n - 1);
IF lag = 0 THEN
    numbers := numbers || steps;
ELSIF lag = 1 THEN
    last := numbers[1];
    FOR i IN 1..n - 1 LOOP
        last := last + steps[i];
        numbers[i + 1] := last;
    END LOOP;
ELSE
    FOR i IN 1..n - 1 LOOP
        numbers[i + 1] := numbers[CASE WHEN i < lag THEN i ELSE i + 1 - lag END] + steps[i];
    END LOOP;
END IF;
END $$;

-- n numbers some of which may be missing.
CREATE OR REPLACE FUNCTION {schema}.packed_numbers(bits varbit, INOUT at int, n int, OUT numbers bigint[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE there bigint[]; known int; present bigint[]; k int := 0;
BEGIN
IF get_bit(bits, at - 1) = 0 THEN
    SELECT * INTO at, numbers FROM {schema}.packed_ints(bits, at + 1, n);
    RETURN;
END IF;
SELECT * INTO at, there FROM {schema}.packed_ints(bits, at + 1, n);
known := coalesce((SELECT sum(t) FROM unnest(there) t), 0);
SELECT * INTO at, numbers FROM {schema}.packed_ints(bits, at, known);
present := numbers;
numbers := array_fill(NULL::bigint, ARRAY[n]);
FOR i IN 1..n LOOP
    IF there[i] = 1 THEN
        k := k + 1;
        numbers[i] := present[k];
    END IF;
END LOOP;
END $$;

-- n decimals as whole numbers of a unit, and whether they are written without trailing zeros.
CREATE OR REPLACE FUNCTION {schema}.packed_scaled(
    bits varbit, INOUT at int, n int, OUT unit numeric, OUT trimmed boolean, OUT numbers bigint[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
unit := ('1e-' || {schema}.packed_number(bits, at, 6))::numeric;
trimmed := get_bit(bits, at + 5) = 1;
SELECT * INTO at, numbers FROM {schema}.packed_numbers(bits, at + 7, n);
END $$;

CREATE OR REPLACE FUNCTION {schema}.packed_decimals(bits varbit, INOUT at int, n int, OUT decimals numeric[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE unit numeric; trimmed boolean; numbers bigint[];
BEGIN
SELECT * INTO at, unit, trimmed, numbers FROM {schema}.packed_scaled(bits, at, n);
decimals := CASE
    WHEN trimmed THEN ARRAY(SELECT trim_scale(number * unit) FROM unnest(numbers) number)
    ELSE ARRAY(SELECT number * unit FROM unnest(numbers) number)
END;
END $$;

-- n texts, some of which may be missing; words lie in the block's whole bytes.
CREATE OR REPLACE FUNCTION {schema}.packed_texts(data bytea, bits varbit, INOUT at int, n int, OUT texts text[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE lengths bigint[]; words text[]; places bigint[];
BEGIN
SELECT * INTO at, lengths
FROM {schema}.packed_ints(bits, at + 16, {schema}.packed_number(bits, at, 16)::int);
at := (at + 6) / 8 + 1;
FOR i IN 1..cardinality(lengths) LOOP
    words[i] := convert_from(substring(data, at, lengths[i]::int), 'UTF8');
    at := at + lengths[i];
END LOOP;
SELECT * INTO at, places FROM {schema}.packed_numbers(bits, at * 8 - 7, n);
texts := ARRAY(SELECT words[place + 1] FROM unnest(places) place);
END $$;

-- n books as price,amount;...|price,amount;... Each level is written with what follows it: nothing, the bar behind
-- the bids, the end of the book; a book without levels leaves its marks behind the level before.
CREATE OR REPLACE FUNCTION {schema}.packed_levels(bits varbit, INOUT at int, n int, OUT books text[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    bids bigint[]; asks bigint[]; m int; k int := 0; ends text[]; start text := '';
    price_unit numeric; price_trimmed boolean; prices bigint[]; unit numeric; trimmed boolean; amounts bigint[];
BEGIN
SELECT * INTO at, bids FROM {schema}.packed_ints(bits, at, n);
SELECT * INTO at, asks FROM {schema}.packed_ints(bits, at, n);
m := (SELECT sum(b + a) FROM unnest(bids, asks) AS t (b, a));
SELECT * INTO at, price_unit, price_trimmed, prices FROM {schema}.packed_scaled(bits, at, m);
SELECT * INTO at, unit, trimmed, amounts FROM {schema}.packed_scaled(bits, at, m);
ends := array_fill(';'::text, ARRAY[m]);
FOR i IN 1..n LOOP
    k := k + bids[i];
    IF k = 0 THEN start := start || '|'; ELSE ends[k] := ends[k] || '|'; END IF;
    k := k + asks[i];
    IF k = 0 THEN start := start || '/'; ELSE ends[k] := ends[k] || '/'; END IF;
END LOOP;
books := string_to_array(start || coalesce(CASE WHEN price_trimmed OR trimmed THEN
    (SELECT string_agg(concat(
        CASE WHEN price_trimmed THEN trim_scale(p * price_unit) ELSE p * price_unit END, ',',
        CASE WHEN trimmed THEN trim_scale(a * unit) ELSE a * unit END, e), '') FROM unnest(prices, amounts, ends) AS t (p, a, e))
    ELSE (SELECT string_agg(concat(p * price_unit, ',', a * unit, e), '') FROM unnest(prices, amounts, ends) AS t (p, a, e))
END, ''), '/');
books := books[:n];
END $$;

-- The block's first column, by which its rows are told apart.
CREATE OR REPLACE FUNCTION {schema}.packed_keys(data bytea) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE bits varbit := {schema}.packed_bits(data); n int := {schema}.packed_number(bits, 9, 32);
BEGIN
RETURN (SELECT numbers FROM {schema}.packed_numbers(bits, 41, n));
END $$;
