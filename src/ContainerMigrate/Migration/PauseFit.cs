namespace ContainerMigrate.Migration;

/// <summary>
/// Factors for the parts of a predicted pause, fitted to measured ones. First how much slower or faster these hosts are on the whole (a
/// median, which a few migrations that were far off do not move); then a linear regression that expects this of each part beforehand, so
/// that none moves without evidence, and in which such migrations count little (Cauchy weights, iterated). What happened lately counts more.
/// </summary>
public static class PauseFit
{
    /// <summary>Upper bound of a factor.</summary>
    public const double MaxFactor = 20;

    // A part's factor may differ from the others by this share of itself; a single pause from its prediction by that, at least.
    private const double Uncertainty = 1;
    private const double Noise = 0.1;

    private const double Decay = 0.8;
    private const int Reweightings = 20;
    private const int Sweeps = 200;

    /// <param name="parts">Of each migration, oldest first: its parts as the constants predict them, in ms; all of one length.</param>
    /// <param name="measured">Of each migration, in ms, above 0.</param>
    /// <param name="bounds">Of each part's factor.</param>
    /// <returns>One factor for each part, within its bounds.</returns>
    public static double[] Factors(IReadOnlyList<double[]> parts, IReadOnlyList<double> measured, IReadOnlyList<(double Min, double Max)> bounds)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(measured);
        ArgumentNullException.ThrowIfNull(bounds);
        var ages = parts.Select((_, i) => Math.Pow(Decay, parts.Count - 1 - i)).ToArray();
        var overall = Overall(parts, measured, ages);
        var factors = bounds.Select(b => Math.Clamp(overall, b.Min, b.Max)).ToArray();
        for (var i = 0; i < Reweightings; i++)
        {
            // Relative to what was measured: a second more or less means little for a pause of a minute.
            var errors = parts.Select((p, k) => Math.Abs(Dot(p, factors) - measured[k]) / measured[k]).ToArray();
            var scale = Math.Max(Noise, Median([.. errors.Select((e, k) => (e, ages[k]))]));
            factors = Solve(parts, measured, [.. errors.Select((error, k) => ages[k] / (1 + Square(error / scale)))], overall, bounds);
        }

        return factors;
    }

    // One migration that was just as expected is added, so that the first real one counts for half.
    private static double Overall(IReadOnlyList<double[]> parts, IReadOnlyList<double> measured, double[] ages) =>
        Math.Clamp(
            Math.Exp(Median([(0, 1), .. parts.Select((p, k) => (Math.Log(measured[k] / p.Sum()), ages[k]))])),
            1 / MaxFactor,
            MaxFactor);

    private static double[] Solve(IReadOnlyList<double[]> parts, IReadOnlyList<double> measured, double[] weights, double overall, IReadOnlyList<(double Min, double Max)> bounds)
    {
        var count = parts[0].Length;
        var prior = 1 / Square(Uncertainty * overall);
        var matrix = new double[count, count];
        var vector = new double[count];
        for (var i = 0; i < count; i++)
        {
            matrix[i, i] = prior;
            vector[i] = prior * overall;
            for (var k = 0; k < parts.Count; k++)
            {
                var weighted = weights[k] * parts[k][i] / Square(Noise * measured[k]);
                vector[i] += weighted * measured[k];
                for (var j = 0; j < count; j++)
                {
                    matrix[i, j] += weighted * parts[k][j];
                }
            }
        }

        // Coordinate descent: what is minimised is convex, and clamping one factor at a time keeps exactly to the bounds.
        var factors = bounds.Select(b => Math.Clamp(overall, b.Min, b.Max)).ToArray();
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            for (var i = 0; i < count; i++)
            {
                var others = 0.0;
                for (var j = 0; j < count; j++)
                {
                    others += i == j ? 0 : matrix[i, j] * factors[j];
                }

                factors[i] = Math.Clamp((vector[i] - others) / matrix[i, i], bounds[i].Min, bounds[i].Max);
            }
        }

        return factors;
    }

    /// <summary>Of weighted values; between two of them, their mean.</summary>
    private static double Median(List<(double Value, double Weight)> values)
    {
        values.Sort();
        var half = values.Sum(v => v.Weight) / 2;
        var sum = 0.0;
        for (var i = 0; i < values.Count; i++)
        {
            sum += values[i].Weight;
            if (sum > half || i == values.Count - 1)
            {
                return values[i].Value;
            }

            if (sum > half * 0.999)
            {
                return (values[i].Value + values[i + 1].Value) / 2;
            }
        }

        return 0;
    }

    private static double Dot(double[] left, double[] right)
    {
        var sum = 0.0;
        for (var i = 0; i < left.Length; i++)
        {
            sum += left[i] * right[i];
        }

        return sum;
    }

    private static double Square(double value) => value * value;
}
